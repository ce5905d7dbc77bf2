"""Lines of a table of scores, as the benchmarks print them."""

from __future__ import annotations

from groundshift.validate.metrics import Scores

COLUMNS = ("epe", "near", "far", "median", "coverage", "variance_x", "variance_y")


def heading(label: str) -> str:
    return label + "".join(f"{name:>12}" for name in COLUMNS)


def line(label: str, scores: Scores) -> str:
    return label + "".join(f"{getattr(scores, name):12.4f}" for name in COLUMNS)
