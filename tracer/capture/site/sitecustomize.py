"""Loaded by the Python processes that a program under `tracer run` starts; see `inheritance.py`.

Runs in any interpreter, so it is written for old ones, and nothing it meets may end the process.
"""

import os
import sys

_finders = vars(sys)["meta_path"]
_here = os.path.dirname(os.path.abspath(__file__))


class _Awaiting:
    """Loads tracer before a library that it watches, and then is gone."""

    def __init__(self, names: frozenset) -> None:  # type: ignore[type-arg]
        self.names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in self.names or self not in _finders:
            return None
        _finders.remove(self)
        try:
            from tracer.capture import children  # only now is it worth its time

            children.join()
        except BaseException:  # another interpreter, a version without this, anything
            pass
        for finder in list(_finders):
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None


def _restore() -> None:
    """The path as the program set it, for this process and those it starts."""
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != _here]
    kept = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [place for place in kept if os.path.abspath(place or ".") != _here]
    if any(kept):
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        os.environ.pop("PYTHONPATH", None)


def _run_the_next() -> None:
    """The sitecustomize that would have been loaded without us; its errors are its own."""
    # Where nothing of the kind is on the path this is not needed.
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_restore()
_names = os.environ.pop("TRACER_WATCHED", "").split(",")
_able = sys.version_info >= (3, 11)
if _able and os.environ.get("TRACER_RUN"):
    _finders.insert(0, _Awaiting(frozenset(_names)))
_run_the_next()
