"""Where recordings go and what is captured: `tracer.init(...)` and the TRACER_* variables."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tracer.capture.redaction import NOTHING, Redact, Wishes, wishes
from tracer.errors import UsageError

_MARKERS = ("pyproject.toml", ".git")
CAPTURES = ("http", "frameworks", "around", "clock")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings in force. `db` None = the default place, looked up when first needed.

    `otlp` is the endpoint of an OTLP/HTTP receiver that gets every span as well; `redact`: what is
    removed before it is stored, beyond what tracer knows.
    """

    db: Path | None = None
    capture: tuple[str, ...] = CAPTURES
    otlp: str | None = None
    enabled: bool = True
    redact: Wishes = NOTHING


def from_environment() -> Config:
    """The settings of TRACER_DB, _CAPTURE, _OTLP, _REDACT and _DISABLED."""
    db = os.environ.get("TRACER_DB")
    capture = os.environ.get("TRACER_CAPTURE")
    return Config(
        db=Path(db).expanduser() if db else None,
        capture=tuple(capture.split(",")) if capture is not None else CAPTURES,
        otlp=os.environ.get("TRACER_OTLP") or None,
        enabled=os.environ.get("TRACER_DISABLED", "") in ("", "0"),
        redact=wishes(os.environ.get("TRACER_REDACT", "")),
    )


_config: Config | None = None


def get() -> Config:
    """The settings in force."""
    global _config
    if _config is None:
        _config = from_environment()
    return _config


def init(
    db: str | os.PathLike[str] | None = None,
    capture: Sequence[str] | None = None,
    otlp: str | None = None,
    redact: Redact | bool | str | Iterable[str | Redact] | None = None,
) -> None:
    """Set options for this process; each has a TRACER_* variable. Call it before the first run.

    `db`: path of the SQLite file (TRACER_DB). `capture`: of "http", "frameworks", "around"
    (output, log records, what is touched) and "clock" (the clock and random values that the
    program reads), which to watch (TRACER_CAPTURE, comma separated).
    `otlp`: endpoint of an OTLP/HTTP receiver to which spans are sent too (TRACER_OTLP).

    `redact`: what is removed before it is stored, beyond credentials and well-known keys
    (TRACER_REDACT, names and `module:function`, comma separated): names of JSON fields, whose
    values are removed wherever they stand; a function, which gets each text (and, if it takes a
    second argument, what kind of place it is from: arguments, result, request, reply, input,
    output, error, note, detail) and returns what may be stored; or several of both. What it takes
    away is stored as `[redacted:…]`. It runs on tracer's own thread while recording. `False`
    ("off"): nothing by its form either. Raises UsageError for what can't be used.
    """
    global _config
    config = get()
    if capture is not None:
        unknown = [name for name in capture if name not in CAPTURES]
        if unknown:
            raise UsageError(
                f"capture={unknown[0]!r} is not one of {', '.join(CAPTURES)}: leave it out"
            )
        config = replace(config, capture=tuple(capture))
    if db is not None:
        config = replace(config, db=Path(db).expanduser())
    if redact is not None:
        config = replace(config, redact=wishes(redact))
    if otlp is not None:
        config = replace(config, otlp=otlp)
    _config = config


def database_path(start: Path | None = None) -> Path:
    """The database: what `init` or TRACER_DB names, else `.tracer/traces.db` of the project.

    The project is the nearest folder upward from `start` (default: the working directory) that
    holds a pyproject.toml or .git; without one, the working directory itself.
    """
    config = get()
    if config.db is not None:
        return config.db.absolute()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if any((folder / marker).exists() for marker in _MARKERS):
            return folder / ".tracer" / "traces.db"
    return here / ".tracer" / "traces.db"
