"""Points of several tracks on ground that moves east, north and up at known rates."""

import numpy as np

from groundshift.model.points import point_set

LOOKS = {22: (0.595, -0.120, 0.795), 44: (-0.640, -0.105, 0.761), 117: (-0.621, -0.098, 0.778)}


def unit(look):
    """A look of length 1."""
    return np.array(look) / np.linalg.norm(look)


def motion(x, y, years):
    """East, north and up displacement (3, n, time), mm, at x, y in metres."""
    east = 3.0 + x / 5000
    north = np.full_like(x, 10.0)
    up = -20.0 * np.exp(-((x - 2500) ** 2 + (y - 2500) ** 2) / 1500**2)
    season = np.sin(2 * np.pi * years)
    return (
        np.stack([each[:, None] * years for each in (east, north, up)])
        + np.array([0.0, 0.0, 2.0])[:, None, None] * season
    )


def track(
    number,
    *,
    points=4000,
    side=5000.0,
    corner=(4_500_000.0, 3_000_000.0),
    start="2020-01-02",
    count=120,
    step=12,
    noise=0.0,
    north=True,
    seed=0,
    crs="EPSG:3035",
    provenance=None,
    gaps=(),
    stated=None,
):
    """An L2b point set; `north` leaves the north motion in, dates of the indices `gaps` are missing.

    `stated` are `mean_velocity_std`, `calibration_std` and `absolute_velocity_std`.
    """
    random = np.random.default_rng([seed, number])
    x, y = random.uniform(0, side, (2, points))
    dates = np.datetime64(start) + np.delete(np.arange(count), list(gaps)) * step
    years = (dates - np.datetime64("2020-01-02")) / np.timedelta64(1, "D") / 365.25
    look = unit(LOOKS[number])
    moved = motion(x // 100 * 100 + 50, y // 100 * 100 + 50, years)  # all points of a cell alike
    moved[1] *= north
    series = np.einsum("k,knt->nt", look, moved) + noise * random.normal(size=(points, len(dates)))
    columns = {
        "pid": [f"{number:03d}{k:07d}" for k in range(points)],
        "easting": corner[0] + x,
        "northing": corner[1] + y,
        "height": np.full(points, 100.0),
        **{name: np.full(points, each) for name, each in zip(("los_east", "los_north", "los_up"), look, strict=True)},
        "displacement": series.astype(np.float32),
    }
    if stated:
        names = ("mean_velocity_std", "calibration_std", "absolute_velocity_std")
        columns |= {name: np.full(points, each) for name, each in zip(names, stated, strict=True)}
    return point_set(columns, level="L2b", dates=dates, crs=crs, track=number, provenance=provenance)
