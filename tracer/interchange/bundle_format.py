"""The version of the bundle format, and how older files are read.

Change the format: raise `FORMAT`, and add to `CONVERTERS` the function that turns the parsed
`trace.json` of the version before into the new one. Old converters stay for ever.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tracer.errors import BadFileError

FORMAT = 1

Converter = Callable[[dict[str, Any]], dict[str, Any]]

# version -> what makes the next version of it
CONVERTERS: Mapping[int, Converter] = {}


def check_version(found: Any, where: str, *, target: int = FORMAT) -> int:
    """The version a file names. Raises BadFileError for none, or one this tracer doesn't know."""
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise BadFileError(f"{where} is no tracer bundle: it names no format version")
    if found > target:
        raise BadFileError(
            f"{where} was written by a newer tracer (format {found}, this one reads up to "
            f"{target}): upgrade tracer"
        )
    return found


def converted(
    trace: dict[str, Any],
    found: int,
    *,
    target: int = FORMAT,
    converters: Mapping[int, Converter] = CONVERTERS,
) -> dict[str, Any]:
    """A parsed `trace.json` of version `found` as one of version `target`."""
    for version in range(found, target):
        trace = converters[version](trace)
    return trace
