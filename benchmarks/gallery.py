"""Gallery pages: real ground that moved, with pictures and the numbers of the text.

The data are a folder of shared data beside the checkout.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401
import rioxarray

import groundshift
from groundshift.figures.comparison import comparison_figure
from groundshift.figures.style import SECOND, TRUTH, new_figure, save_figure
from groundshift.grid.tiles import Box
from groundshift.io import read_mask
from groundshift.io.samples import images_of
from groundshift.kernels.robust import nmad, robust_fit
from groundshift.synth.options import PairOptions
from groundshift.synth.pairs import ProceduralScenes, make_sample
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import mean, score

DAYS = 16.0  # between the Landsat images
_CONVERGENCE = -10.45  # degrees between north of UTM zones 5 and 7 there


def yahtse(data: Path, out: Path, method: str = "auto") -> str:
    """Landsat-8, 18 July to 3 August 2016, against published offsets of the same pair."""
    folder = data / "l8_yahtse_glacier"
    dataset = groundshift.measure_pair(
        folder / "LC80630182016200LGN00_B8_yahtse.TIF", folder / "LC80630182016216LGN00_B8_yahtse.TIF",
        out=out, method=method, max_displacement=12,
    )  # fmt: skip
    east, north = (dataset[name].values / DAYS for name in ("east", "north"))  # metres a day
    theirs = []
    for name, sign in (("east", -1), ("north", 1)):
        path = folder / "published_ampcor_utm5N" / f"20160803203709_20160718203706_r32x32_s32x32_{name}xyz_filt.grd"
        grid = rioxarray.open_rasterio(path).squeeze().rio.write_crs("EPSG:32605").rio.write_nodata(np.nan)
        theirs.append(sign * grid.rio.reproject_match(dataset["east"]).values)
    turn = np.radians(_CONVERGENCE)
    theirs = [np.cos(turn) * theirs[0] - np.sin(turn) * theirs[1], np.sin(turn) * theirs[0] + np.cos(turn) * theirs[1]]

    rows, cols = np.indices(east.shape)
    known = np.isfinite(east + theirs[0] + theirs[1])
    upper = rows < 0.65 * east.shape[0]  # above the sea
    still = known & upper & (np.hypot(east, north) < 0.12)
    design = np.stack([np.ones(east.size), cols.ravel() / 1e3, rows.ravel() / 1e3], axis=1)
    some = np.flatnonzero(still)[::50]
    for c, own in ((0, east), (1, north)):  # their images were not aligned: a plane on still ground
        plane = robust_fit(design[some], (theirs[c] - own).ravel()[some]).coefficients
        theirs[c] = theirs[c] - (design @ plane).reshape(east.shape)
    trunk = known & (rows < 560) & (cols > 150) & (cols < 1050) & (np.hypot(east, north) > 0.3)
    agree = trunk & (np.hypot(theirs[0] - east, theirs[1] - north) < 1)
    x, y = (np.concatenate([a[agree], b[agree]]) for a, b in ((theirs[0], theirs[1]), (east, north)))
    c = np.cov(x, y)
    slope = (c[1, 1] - c[0, 0] + np.hypot(c[1, 1] - c[0, 0], 2 * c[0, 1])) / (2 * c[0, 1])

    figure = new_figure(7, 6)
    panel = figure.subplots()
    panel.hexbin(x, y, gridsize=120, bins="log", cmap="cividis", mincnt=1)
    panel.plot([-4, 4], [-4, 4], color=TRUTH, linewidth=1, label="equal")
    panel.plot([-4, 4], [-4 * slope, 4 * slope], color=SECOND, linewidth=1.2, label=f"slope {slope:.3f}")
    panel.set(
        xlim=(-4, 4),
        ylim=(-4, 4),
        xlabel="published offsets (m/day)",
        ylabel=f"groundshift, {dataset.attrs['method']} (m/day)",
    )
    panel.legend()
    save_figure(figure, out / "scatter.png")
    rock = (cols > 1050) & (rows < 900)
    speed = np.hypot(east, north)[trunk & (cols > 300)]
    return (
        f"slope {slope:.3f} (total least squares), correlation {np.corrcoef(x, y)[0, 1]:.3f}, "
        f"{100 * agree.sum() / trunk.sum():.1f} % of the trunk within 1 m/day\n"
        f"trunk speed: quartiles {np.percentile(speed, [25, 50, 75]).round(2)} m/day\n"
        f"rock: NMAD {nmad(DAYS * east[rock]) / 15:.3f} (east), {nmad(DAYS * north[rock]) / 15:.3f} (north) pixels\n"
        f"measured: {100 * float(dataset['valid'].mean()):.1f} %"
    )


def kaiserberg(data: Path, out: Path, method: str = "auto") -> str:
    """Orthophotos of 2003 and 2023: a rock glacier that moved by metres."""
    folder = data / "ortho1m_kaiserberg_rockglacier"
    out.mkdir(parents=True, exist_ok=True)
    outlines = out / "outlines"
    outlines.mkdir(exist_ok=True)
    for name in ("Area_inside_rock_glacier", "Area_outside_rock_glacier_adjusted"):
        for suffix in (".shp", ".shx", ".dbf"):
            shutil.copy(folder / f"{name}{suffix}", outlines)
        shutil.copy(folder / "Area_inside_rock_glacier.prj", outlines / f"{name}.prj")  # one of them has none
    dataset = groundshift.measure_pair(
        folder / "2003_ortho_1m_RG_rend_bw.tif", folder / "2023_ortho_1m_RG_rend_bw.tif", out=out, method=method,
        max_displacement=30, stable=outlines / "Area_outside_rock_glacier_adjusted.shp",
    )  # fmt: skip
    grid = dataset.odc.geobox
    whole = Box(0, 0, *grid.shape)
    length = np.hypot(dataset["east"], dataset["north"]).values
    lines = []
    for label, name in (("moving", "Area_inside_rock_glacier"), ("stable", "Area_outside_rock_glacier_adjusted")):
        where = read_mask(outlines / f"{name}.shp", grid).read(whole)
        found = length[where & np.isfinite(length)]
        quartiles = np.percentile(found, [25, 50, 75, 90]).round(2)
        east, north = (nmad(dataset[c].values[where]) for c in ("east", "north"))
        lines.append(
            f"{label}: {100 * found.size / where.sum():.0f} % of {where.sum()} pixels measured; displacement at "
            f"25, 50, 75, 90 %: {quartiles} m; NMAD {east:.2f} (east), {north:.2f} (north) m"
        )
    return "\n".join(lines)


def farmland(data: Path, out: Path, method: str = "auto") -> str:
    """NAIP, 5 m, three summers: fields change, the ground does not move."""
    folder = data / "naip5m"
    lines = []
    years = ["20160816", "20170827", "20180716"]
    for first, second in itertools.pairwise(years):
        images = [folder / f"m_4709963_se_14_1_{year}.tif" for year in (first, second)]
        dataset = groundshift.measure_pair(
            *images, out=out / f"{first[:4]}-{second[:4]}", method=method, band=2
        )  # green
        metres = [dataset[name].values for name in ("east", "north")]
        length = np.hypot(*(each - np.nanmedian(each) for each in metres))
        lines.append(
            f"{first[:4]} to {second[:4]}: NMAD {nmad(metres[0]) / 5:.3f} (east), {nmad(metres[1]) / 5:.3f} (north) "
            f"pixels; 90 % below {np.nanpercentile(length, 90) / 5:.2f}; "
            f"{100 * float(dataset['valid'].mean()):.1f} % measured"
        )
    return "\n".join(lines)


def submetre(data: Path, out: Path, method: str = "auto") -> str:
    """Simulated ruptures in procedural scenes of 0.5 m, as Pléiades would see them; `data` is not used."""
    options = PairOptions(size=512, pixel=0.5, kinds={"earthquake": 1}, scales={"large": 1, "very_large": 1})
    rows = []
    for seed in range(8):
        sample = make_sample(options, ProceduralScenes(seed, (9,)), np.random.SeedSequence(seed))
        pre, post = images_of(sample)
        dataset = groundshift.measure_pair(pre, post, method=method, registration="none", max_displacement=12)
        flow, sigma = pixel_flow(dataset, pre.shape)
        flow[:, ~sample.valid] = np.nan
        rows.append(score(flow, sample.flow, sample.distance, sigma))
        if seed == 0:
            figure = comparison_figure(
                *(0.5 * np.stack([each[0], -each[1]]) for each in (sample.flow, flow)), 0.5 * sigma,
                resolution=0.5, title="Simulated rupture in a procedural scene of 0.5 m",
            )  # fmt: skip
            save_figure(figure, out / "comparison.png")
    values = ", ".join(f"{name} {getattr(mean(rows), name):.3f}" for name in ("epe", "near", "far", "coverage"))
    return f"{values} (mean of {len(rows)} scenes, pixels)"


PAGES = {"yahtse": yahtse, "kaiserberg": kaiserberg, "farmland": farmland, "submetre": submetre}
