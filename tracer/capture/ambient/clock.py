"""The wall clock as functions of `time` read it. Monotonic clocks and `sleep` are left alone.

What derives from the time (a struct, a text) is derived from one read, in a recording too, so that
a re-execution derives the same.
"""

import time
from typing import Any

from tracer.capture.ambient.reads import moment
from tracer.capture.ambient.swap import Builtin, stand_in_for

_REALTIME = getattr(time, "CLOCK_REALTIME", None)


def switches() -> list[Builtin]:
    """The functions of `time`, to be switched. Raises Unswitchable."""
    made = {name: Builtin(getattr(time, name), stand_in_for(time, call)) for name, call in _CALLS}
    _real.update({name: switch.real for name, switch in made.items()})
    return list(made.values())


_real: dict[str, Any] = {}


def real_now() -> int:
    """The real time, nanoseconds since the epoch."""
    now: int = _real["time_ns"]()
    return now


def _time(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args or kwargs else moment(real_now)
    return _real["time"](*args, **kwargs) if now is None else now / 1e9


def _time_ns(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args or kwargs else moment(real_now)
    return _real["time_ns"](*args, **kwargs) if now is None else now


def _clock_gettime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args != (_REALTIME,) or kwargs else moment(real_now)
    return _real["clock_gettime"](*args, **kwargs) if now is None else now / 1e9


def _clock_gettime_ns(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args != (_REALTIME,) or kwargs else moment(real_now)
    return _real["clock_gettime_ns"](*args, **kwargs) if now is None else now


def _gmtime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args not in ((), (None,)) or kwargs else moment(real_now)
    return _real["gmtime"](*args, **kwargs) if now is None else _real["gmtime"](now // 10**9)


def _localtime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args not in ((), (None,)) or kwargs else moment(real_now)
    return _real["localtime"](*args, **kwargs) if now is None else _real["localtime"](now // 10**9)


def _ctime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args not in ((), (None,)) or kwargs else moment(real_now)
    return _real["ctime"](*args, **kwargs) if now is None else _real["ctime"](now // 10**9)


def _asctime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if args or kwargs else moment(real_now)
    if now is None:
        return _real["asctime"](*args, **kwargs)
    return _real["asctime"](_real["localtime"](now // 10**9))


def _strftime(_: Any, *args: Any, **kwargs: Any) -> Any:
    now = None if len(args) != 1 or kwargs else moment(real_now)
    if now is None:
        return _real["strftime"](*args, **kwargs)
    return _real["strftime"](args[0], _real["localtime"](now // 10**9))


_CALLS = [
    (name, call)
    for name, call in {
        "time": _time,
        "time_ns": _time_ns,
        "clock_gettime": _clock_gettime,
        "clock_gettime_ns": _clock_gettime_ns,
        "gmtime": _gmtime,
        "localtime": _localtime,
        "ctime": _ctime,
        "asctime": _asctime,
        "strftime": _strftime,
    }.items()
    if hasattr(time, name)
]
