"""What a check says: its definition, numbers with intervals, and whether they meet a requirement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure

PASS, FAIL, UNDECIDED, NO_REQUIREMENT = "pass", "fail", "undecided", "none stated"
Verdict = Literal["pass", "fail", "undecided", "none stated"]


@dataclass(frozen=True)
class Requirement:
    """What is asked of a number, and by whom."""

    low: float  # −inf if there is no lower limit
    high: float  # inf if there is no upper limit
    source: str  # who asks

    @classmethod
    def at_most(cls, limit: float, source: str) -> Requirement:
        """No more than a limit."""
        return cls(-np.inf, limit, source)

    @classmethod
    def at_least(cls, limit: float, source: str) -> Requirement:
        """No less than a limit."""
        return cls(limit, np.inf, source)

    def __str__(self) -> str:
        if np.isinf(self.low):
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if np.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Number:
    """One number with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    count: int  # of independent things it rests on
    interval: str  # how the interval was found
    requirement: Requirement | None = None
    bound: bool = False  # whether the value holds more than it should, so that it can pass but not fail

    @property
    def verdict(self) -> Verdict:
        """Pass if the whole interval meets the requirement, fail if none of it does, undecided if a part does."""
        if self.requirement is None:
            return NO_REQUIREMENT
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            return UNDECIDED
        if self.requirement.low <= self.low and self.high <= self.requirement.high:
            return PASS
        outside = self.low > self.requirement.high or self.high < self.requirement.low
        return FAIL if outside and not self.bound else UNDECIDED

    def record(self) -> dict[str, Any]:
        """For JSON."""
        asked = (
            None if self.requirement is None else {"limit": str(self.requirement), "source": self.requirement.source}
        )
        return {
            "name": self.name, "value": self.value, "low": self.low, "high": self.high, "unit": self.unit,
            "count": self.count, "interval": self.interval, "requirement": asked, "verdict": self.verdict,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Check:
    """One check of a report."""

    key: str  # short name
    title: str
    definition: str  # what is computed, in words and a formula
    numbers: tuple[Number, ...]
    figure: Figure | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)  # arrays by name, for notebooks

    @property
    def verdict(self) -> Verdict:
        """Fail if any number fails, else undecided if any is, else pass if any has a requirement."""
        verdicts = {number.verdict for number in self.numbers}
        return next((each for each in (FAIL, UNDECIDED, PASS) if each in verdicts), NO_REQUIREMENT)

    def number(self, name: str) -> Number:
        """The number of that name; KeyError if there is none."""
        return {each.name: each for each in self.numbers}[name]

    def record(self) -> dict[str, Any]:
        """For JSON, without figure and arrays."""
        return {
            "check": self.key, "title": self.title, "verdict": self.verdict, "definition": self.definition,
            "numbers": [each.record() for each in self.numbers], "notes": list(self.notes),
        }  # fmt: skip


SERVICE = "European Ground Motion Service"
VELOCITY = 0.7  # mm/yr, one sigma, at points of temporal coherence above COHERENCE
COHERENCE = 0.7
DISPLACEMENT = {"L2a": 4.0, "L2b": 8.0, "L3": 8.0}  # mm, one sigma
DENSITY = {"continuous urban": 5000.0, "discontinuous urban, industrial": 1000.0, "bare": 100.0}  # points a km²
PAIR_SPREAD = 5.0  # mm/yr, between 0.1 and 50 km
