"""Traffic that is seen but not captured: the run says so, and is not replayed past it."""

from tracer.capture import scope as scopes

NOT_CAPTURED = "not captured: "


def not_captured(what: str, where: str) -> None:
    """Mark the run under way: something was exchanged here that no step holds."""
    scope = scopes.current()
    if scope is None:
        return
    # A re-execution's own check: it can't be answered, whatever would carry it.
    sentence = f"{NOT_CAPTURED}{what} to {where}, which a re-execution can't answer"
    if scope.run.handler is not None:
        scope.run.check()
    if sentence not in scope.run.warnings:
        scope.run.warnings.append(sentence)
