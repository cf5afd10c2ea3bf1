"""Where recordings go and what is captured: `tracer.init(...)` and the TRACER_* variables."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tracer.errors import UsageError

_MARKERS = ("pyproject.toml", ".git")
CAPTURES = ("http", "frameworks", "clock")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings in force. `db` None = the default place, looked up when first needed.

    `otlp` is the endpoint of an OTLP/HTTP receiver that gets every span as well.
    """

    db: Path | None = None
    capture: tuple[str, ...] = CAPTURES
    otlp: str | None = None
    enabled: bool = True


def from_environment() -> Config:
    """The settings of TRACER_DB, TRACER_CAPTURE, TRACER_OTLP and TRACER_DISABLED."""
    db = os.environ.get("TRACER_DB")
    capture = os.environ.get("TRACER_CAPTURE")
    return Config(
        db=Path(db).expanduser() if db else None,
        capture=tuple(capture.split(",")) if capture is not None else CAPTURES,
        otlp=os.environ.get("TRACER_OTLP") or None,
        enabled=os.environ.get("TRACER_DISABLED", "") in ("", "0"),
    )


_config: Config | None = None
_redact: Callable[[str], str] | None = None


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
) -> None:
    """Set options for this process; each has a TRACER_* variable. Call it before the first run.

    `db`: path of the SQLite file (TRACER_DB). `capture`: of "http", "frameworks" and "clock" (the
    clock and random values that the program reads), which to watch (TRACER_CAPTURE, comma
    separated). `otlp`: endpoint of an OTLP/HTTP receiver to which spans are sent too (TRACER_OTLP).
    Raises UsageError for an unknown capture name.
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
