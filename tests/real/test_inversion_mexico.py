"""Interferograms of Mexico City (2018) give a plausible velocity map."""

import numpy as np
import pytest
import rasterio

from groundshift.insar.interferograms.closure import closure
from groundshift.insar.interferograms.inversion import invert_network


@pytest.fixture(scope="module")
def network(shared):
    """Unwrapped phases (m, n) relative to coherent ground, coherence, pairs, days."""
    paths = sorted((shared / "data" / "insar_pyrate_cropA_mexico" / "geotiffs").glob("*_unw.tif"))
    if not paths:
        pytest.skip("the folder of shared data has no interferograms of Mexico City")
    layers = []
    for path in paths:
        with rasterio.open(path) as phase, rasterio.open(str(path).replace("eqa_unw", "flat_eqa_cc")) as coherence:
            layers.append((phase.read(1).astype(float), coherence.read(1).astype(float)))
    phase, coherence = (np.array(each).reshape(len(paths), -1) for each in zip(*layers, strict=True))
    phase[phase == 0] = np.nan
    names = [path.name[6:23].split("-") for path in paths]
    dates = sorted({name for pair in names for name in pair})
    pairs = np.array([[dates.index(name) for name in pair] for pair in names])
    days = np.array([f"{each[:4]}-{each[4:6]}-{each[6:]}" for each in dates], "datetime64[D]").astype(float)
    good = np.isfinite(phase).all(axis=0) & (np.nanmean(coherence, axis=0) > 0.6)
    return phase - np.median(phase[:, good], axis=1)[:, None], coherence, pairs, days


def test_interferograms_close(network):
    phase, _, pairs, days = network
    result = closure(phase, pairs, len(days))
    assert len(result.triplets) == 24
    assert np.nanmean(result.wrong) < 0.001
    assert np.nanmax(result.by_interferogram) < 0.01


def test_the_city_sinks_by_hundreds_of_millimetres_a_year(network):
    phase, coherence, pairs, days = network
    weights = coherence**2 / np.maximum(1 - coherence**2, 1e-3)
    result = invert_network(-55.465763 / (4 * np.pi) * phase, pairs, days, weights=weights)
    whole = result.subsets == 1
    assert whole.mean() > 0.95
    low, high = np.percentile(result.velocity[whole], [1, 99])
    assert 200 < high - low < 450  # against the ground that is still
    assert low < -150 < 150 > high  # what moves most sinks
    assert np.median(result.rms[whole]) < 3  # mm
