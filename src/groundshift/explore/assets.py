"""Assets on the map: what points that are shown say of every span of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from groundshift.errors import InputError
from groundshift.io.features import Features
from groundshift.io.point_batches import point_parts
from groundshift.products.assets import AssetConfig, assess_from_files


def assess_tracks(points: Sequence[Path], assets: Path, *, vertical: bool) -> dict[str, Features]:
    """Rows of spans or segments by the title of their layer, one layer a track, component and set of dates.

    Parameters
    ----------
    points
        GeoParquet point sets, or products of EGMS.
    assets
        Roads, railways, bridges, buildings, dams; see :func:`groundshift.products.assets.geometry.prepare_assets`.
    vertical
        Whether motion along the line of sight is taken for vertical.

    Raises
    ------
    InputError
        If there are no files with points, or none of the assets has a point.
    """
    if not points:
        raise InputError(
            "assets need points in files (.zip or .csv of EGMS, .parquet) to be assessed with; a store has none"
        )
    groups: dict[tuple, list[Path]] = {}
    for path in points:
        record = point_parts(path).header
        key = record.level, record.component, record.track, record.dates.tobytes()
        groups.setdefault(key, []).append(path)
    found: dict[str, Features] = {}
    for (level, component, track, _), paths in groups.items():
        assessment = assess_from_files(paths, assets, AssetConfig(vertical=vertical and component == "LOS"))
        if not len(assessment.units.assets):
            continue
        title = f"{assets.stem}, {level} {component if track is None else f'track {track}'}"
        number = sum(each.startswith(title) for each in found)
        found[f"{title} ({number + 1})" if number else title] = assessment.segments
    if not found:
        raise InputError(f"no asset in {assets} has points enough; give points that cover them")
    return found
