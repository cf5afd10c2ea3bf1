"""What a measurement says: one row, its target, and the statistics behind it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

_SIGNS = {"ratio": "x", "value": "", "more": " more"}


@dataclass(frozen=True, slots=True)
class Target:
    """At most `limit`: of the row's ratio, of its value, or of how much more that is than the
    other's (both in the row's unit).

    `aim` is what we would like on top: shown, never counted as a miss.
    """

    of: Literal["ratio", "value", "more"]
    limit: float
    aim: float | None = None

    def __str__(self) -> str:
        sign = _SIGNS[self.of]
        aim = "" if self.aim is None else f" (aim {self.aim:g}{sign})"
        return f"≤ {self.limit:g}{sign}{aim}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `value` against `other`, both in `unit`; `ratio` = value / other.

    `spread` are the quartiles of the ratio over the rounds. Without a target a row is told for
    honesty only.
    """

    name: str
    unit: str
    value: float
    other: float
    ratio: float
    spread: tuple[float, float]
    rounds: int
    against: str
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is kept; None without one."""
        if self.target is None:
            return None
        return self._measured(self.target) <= self.target.limit

    def shortfall(self) -> str:
        """What was measured and what it should be at most; "" without a target."""
        if self.target is None:
            return ""
        sign = {"ratio": "x", "value": f" {self.unit}", "more": f" {self.unit} more"}[
            self.target.of
        ]
        measured = self._measured(self.target)
        return f"{measured:.2f}{sign}, at most {self.target.limit:g}{sign}"

    def _measured(self, target: Target) -> float:
        more = self.value - self.other
        return {"ratio": self.ratio, "value": self.value, "more": more}[target.of]

    def as_json(self) -> dict[str, Any]:
        target = self.target
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "against": self.against,
            "other": self.other,
            "ratio": self.ratio,
            "spread": list(self.spread),
            "rounds": self.rounds,
            "target": None
            if target is None
            else {"of": target.of, "at_most": target.limit, "aim": target.aim},
            "met": self.met,
        }


def compared(
    name: str,
    unit: str,
    pairs: Sequence[tuple[float, float]],
    against: str,
    target: Target | None = None,
) -> Row:
    """A row of `(value, other)` pairs, one a round; the ratio is the middle of their ratios."""
    ratios = [value / other for value, other in pairs]
    return Row(
        name,
        unit,
        statistics.median(value for value, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(ratios),
        quartiles(ratios),
        len(pairs),
        against,
        target,
    )


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Lower and upper quartile; of one value, itself twice."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
