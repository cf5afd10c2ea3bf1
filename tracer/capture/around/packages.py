"""Versions of the installed packages that the program has loaded, read from the names of their
folders: the metadata of a hundred packages would take longer than many a run.
"""

import os
import re
import sys
from typing import Any

from tracer.core.records import JSON

_MOST = 400
_DIST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)-(?P<version>[^-]+)\.dist-info\Z")
_SMALL = 200_000  # bytes of a list of files that is looked into
# What a distribution with files of these top-level names provides; found once a process.
_provided: dict[str, tuple[str, ...]] = {}


def loaded() -> dict[str, JSON]:
    """`{name: version}` of the distributions that loaded modules come from, sorted by name."""
    modules = set(list(sys.modules))
    tops = {name.partition(".")[0].lower() for name in modules}
    # Of namespaces that several distributions share: "google.genai" is google-genai's.
    tops |= {"_".join(name.split(".", 2)[:2]).lower() for name in modules if "." in name}
    unknown = _installed_tops(modules)
    found: dict[str, str] = {}
    rest: list[tuple[str, str, str]] = []
    for folder, name, version in _distributions():
        plain = name.replace("-", "_").replace(".", "_").lower()
        if plain in tops:
            found.setdefault(name, version)
            unknown.discard(plain)
        else:
            rest.append((folder, name, version))
    for folder, name, version in rest:
        if not unknown:
            break
        named = unknown.intersection(_tops_of(folder))
        if named:
            found.setdefault(name, version)
            unknown -= named
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower())[:_MOST])


def _installed_tops(modules: set[str]) -> set[str]:
    """Top-level names of loaded modules that stand among the installed packages."""
    found = set()
    for name in modules:
        if "." in name:
            continue
        file: Any = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and ("site-packages" in file or "dist-packages" in file):
            found.add(name.lower())
    return found


def _distributions() -> list[tuple[str, str, str]]:
    found = []
    for place in dict.fromkeys(list(sys.path)):
        if not place.endswith(("site-packages", "dist-packages")):
            continue
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for entry in names:
            match = _DIST.match(entry)
            if match is not None:
                folder = os.path.join(place, entry)
                found.append((folder, match["name"], match["version"]))
    return found


def _tops_of(folder: str) -> tuple[str, ...]:
    """Top-level names that a distribution installs."""
    if folder not in _provided:
        _provided[folder] = _top_level(folder) or _recorded(folder)
    return _provided[folder]


def _top_level(folder: str) -> tuple[str, ...]:
    return tuple(line.strip().lower() for line in _lines(os.path.join(folder, "top_level.txt")))


def _recorded(folder: str) -> tuple[str, ...]:
    tops = set()
    for line in _lines(os.path.join(folder, "RECORD")):
        first, slash, _ = line.partition("/")
        name = first if slash else first.partition(",")[0].removesuffix(".py")
        if name.isidentifier():
            tops.add(name.lower())
    return tuple(tops)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_SMALL).splitlines()
    except OSError:
        return []
