"""What an assessment of assets is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from groundshift.io.features import Features
from groundshift.products.assets.collect import Collected
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets
from groundshift.products.assets.judge import Judgement
from groundshift.products.assets.spans import Spans
from groundshift.products.assets.units import AllUnits


@dataclass(frozen=True, eq=False)
class Assessment:
    """What was found of all assets."""

    table: Features  # one row an asset, the worst first; columns are those of `docs/assets.md`
    segments: Features  # one row a segment; of those that are not seen too
    spans: Spans  # the same rows: what each does
    assets: Assets
    collected: Collected
    units: AllUnits
    judgement: Judgement
    config: AssetConfig
    report: dict[str, Any]  # numbers of the run
