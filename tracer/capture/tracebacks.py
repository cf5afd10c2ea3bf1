"""Tracebacks as data and back: agents put them into prompts, so they must read as recorded.

A recorded exception that is raised again has no frames of the code that did not run. They are made
again as empty functions of the same files, names and positions, which Python prints as it printed
the real ones. Only files that this process has loaded itself are named.
"""

import ast
import itertools
import sys
from types import CodeType, FunctionType
from typing import Any, NoReturn

from tracer.core.records import JSON

_MOST = 40
_ARGUMENTS = ast.arguments([], [], None, [], [], None, [])


def frames_of(error: BaseException, own: str) -> list[JSON]:
    """`[file, function, line, last line, column, end column]` of each frame that the exception
    passed, outermost first, without those in the folder `own` at its top; [] where not known."""
    found: list[JSON] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if found or not code.co_filename.startswith(own):
            at = next(itertools.islice(code.co_positions(), trace.tb_lasti // 2, None), ())
            if not at or None in at or len(found) >= _MOST:
                return []
            found.append([code.co_filename, code.co_name, *at])
        trace = trace.tb_next
    return found


def raise_with(error: BaseException, frames: Any) -> NoReturn:
    """Raise an exception through frames like the recorded ones, as far as they can be made."""
    try:
        function = _chain(error, frames)
    except Exception:  # frames come from a file
        raise error from None
    function()
    raise error  # not reached: the innermost function raises it


def _chain(error: BaseException, frames: Any) -> FunctionType:
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    kept = [frame for frame in frames or () if frame[0] in loaded or str(frame[0]).startswith("<")]
    inner: Any = None
    for frame in reversed(kept):
        inner = FunctionType(_code(frame, inner is None), {"error": error, "inner": inner})
    if inner is None:
        raise ValueError("no frames")
    return inner  # type: ignore[no-any-return]


def _code(frame: list[Any], innermost: bool) -> CodeType:
    file, name, line, last, column, end = frame
    place = {"lineno": line, "end_lineno": last, "col_offset": column, "end_col_offset": end}
    body: ast.stmt
    if innermost:
        body = ast.Raise(ast.Name("error", ast.Load(), **place), None, **place)
    else:
        call = ast.Call(ast.Name("inner", ast.Load(), **place), [], [], **place)
        body = ast.Expr(call, **place)
    function = ast.FunctionDef("frame", _ARGUMENTS, [body], [], None, None, **place)
    if sys.version_info >= (3, 12):
        function.type_params = []
    module = compile(ast.Module([function], []), str(file), "exec", dont_inherit=True)
    code = next(const for const in module.co_consts if isinstance(const, CodeType))
    return code.replace(co_name=str(name), co_qualname=str(name))
