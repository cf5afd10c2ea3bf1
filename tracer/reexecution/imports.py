"""Finding a module-level function again, as multiprocessing's spawn does: its file is imported
under another name than `__main__`, so that a guarded block does not run."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from tracer.errors import CannotReplayError

MAIN_AGAIN = "__mp_main__"
_kept: list[Any] = []  # the module that was `__main__`: its functions are still running


def load_function(entry: dict[str, Any]) -> Callable[..., Any]:
    """The function of an entry. Raises CannotReplayError when it isn't there any more."""
    root = str(entry.get("root") or "")
    if root and root not in sys.path:
        sys.path.insert(0, root)
    module = _load(str(entry["module"]), entry.get("file"))
    found: Any = module
    for name in str(entry["qualname"]).split("."):
        found = getattr(found, name, None)
    if not callable(found):
        place = entry.get("file") or entry["module"]
        raise CannotReplayError(
            f"{place} has no function {entry['qualname']} any more: name the one that took its "
            "place with --entry FILE.py:FUNCTION"
        )
    function: Callable[..., Any] = found
    return function


def _load(module: str, file: Any) -> Any:
    if module != "__main__":
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise CannotReplayError(
                f"the module {module} can't be imported here ({error}): install what it needs"
            ) from None
    spec = importlib.util.spec_from_file_location(MAIN_AGAIN, str(file))
    if spec is None or spec.loader is None:
        raise CannotReplayError(f"{file} can't be imported: name the program with --script PATH")
    made = importlib.util.module_from_spec(spec)
    # Under both names: what the recording calls `__main__.Refused` is a class of this module.
    _kept.append(sys.modules.get("__main__"))
    sys.modules[MAIN_AGAIN] = sys.modules["__main__"] = made
    try:
        spec.loader.exec_module(made)
    except ImportError as error:
        raise CannotReplayError(
            f"{file} can't be imported here ({error}): install what it needs"
        ) from None
    return made
