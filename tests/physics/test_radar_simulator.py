"""The simulator of radar stacks against what it says of itself."""

import functools

import numpy as np
import pytest

from groundshift.model.radar_stack import check_stack, reference_index
from groundshift.synth.radar import stack as radar_stack
from groundshift.synth.radar.atmosphere import turbulence
from groundshift.synth.radar.geometry import Geometry
from groundshift.synth.radar.ground import make_ground
from groundshift.synth.radar.motion import MOTIONS, make_motions
from groundshift.synth.radar.options import COVERS, REGIONS, StackOptions
from groundshift.synth.radar.scatterers import coherence_matrix, response
from groundshift.synth.radar.scene import KINDS
from groundshift.synth.radar.stack import open_simulation, simulate_stack, write_simulation

STILL = {"subsidence": 0, "accelerating": 0, "seasonal": 0, "step": 0, "landslide": 0, "thermal": 0, "settling": 0}
CALM = {"turbulence": 0, "stratified": 0, "stratified_seasonal": 0, "ramp": 0}
FLAT = {"dem_error": 0, "relief": 0, "building_height": 0}
TOWN = {"shares": {"urban": 1}}
ALONE = {"clutter": 0, "density": {"urban": 0.0004, "rural": 0.0004, "bare": 0.0004}, "on_buildings": 0.0004}


def options(**given):
    """A small stack without anything that is not given."""
    nothing = {
        "motion": STILL,
        "atmosphere": CALM,
        "ground": FLAT,
        "baseline": 0,
        "gain": 0,
        "lines": 300,
        "pixels": 280,
    }
    return StackOptions(dates=given.pop("dates", 6), missing=0, **{**nothing, **given})


def lonely(truth):
    """Rows and columns of the persistent scatterers that no side lobe of another reaches."""
    rows, columns = np.nonzero(truth["kind"].values == KINDS.index("persistent"))
    apart = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns)) + 99 * np.eye(rows.size)
    good = apart.min(axis=0) > 20
    assert good.sum() > 5
    return rows[good], columns[good]


def measured(simulation):
    """Phases of all interferograms at lonely scatterers, radians (time, point), and the truth there."""
    stack, truth = simulation
    rows, columns = lonely(truth)
    slc = stack["slc"].values[:, rows, columns]
    there = {name: truth[name].values[..., rows, columns] for name in truth if truth[name].dims[-2:] == ("y", "x")}
    there["incidence"] = stack["incidence"].values[rows, columns]
    return np.angle(slc[reference_index(stack)] * slc.conj()), there


def wrapped(phase):
    """To −π … π."""
    return np.angle(np.exp(1j * phase))


def test_ground_that_comes_nearer_turns_the_phase_back():
    """20 mm/yr of rising at an incidence near 38.6 degrees, with the sign and wavelength of the conventions."""
    simulation = simulate_stack(
        options(scatterers=ALONE, dates=12, motion={**STILL, "subsidence": -20, "radius": 1e6, "settling": 0})
    )
    phase, truth = measured(simulation)
    days = simulation.stack["time"].values.astype("datetime64[D]").astype(float)
    years = (days - days[reference_index(simulation.stack)]) / 365.25
    rising = 20 * years[:, None] * np.cos(np.radians(38.6))  # mm; the horizontal motion of so wide a bowl is nothing
    np.testing.assert_allclose(truth["displacement"], np.broadcast_to(rising, phase.shape), atol=0.02)
    np.testing.assert_allclose(wrapped(phase + 4 * np.pi / 55.465763 * rising), 0, atol=0.01)
    np.testing.assert_allclose(truth["velocity"], 20 * np.cos(np.radians(38.6)), rtol=2e-3)


def test_a_height_error_turns_the_phase_with_the_baseline():
    simulation = simulate_stack(options(scatterers=ALONE, ground={**FLAT, "building_height": 20, **TOWN}, baseline=80))
    phase, truth = measured(simulation)
    baseline = simulation.stack["perpendicular_baseline"].values[:, None]
    factor = 4 * np.pi / 0.055465763 / (860.6e3 * np.sin(np.radians(38.6)))
    assert np.ptp(truth["height_error"]) > 10
    assert np.abs(baseline).max() > 40
    np.testing.assert_allclose(wrapped(phase - factor * baseline * truth["height_error"]), 0, atol=0.02)


@pytest.mark.parametrize("part", [{"turbulence": 9}, {"stratified": 0.05}, {"ramp": 5}])
def test_a_delay_turns_the_phase_forward(part):
    simulation = simulate_stack(options(scatterers=ALONE, atmosphere={**CALM, **part}, ground={**FLAT, "relief": 50}))
    phase, truth = measured(simulation)
    delay = sum(truth[name] for name in ("turbulent", "stratified", "ramp"))
    delay = delay - delay[reference_index(simulation.stack)]
    assert delay.std() > 0.5
    np.testing.assert_allclose(wrapped(phase - 4 * np.pi / 55.465763 * delay), 0, atol=1e-3)


def test_everything_at_once_is_the_formula_of_the_stack():
    simulation = simulate_stack(StackOptions(lines=300, pixels=280, dates=10, scatterers=ALONE))
    phase, truth = measured(simulation)
    stack = simulation.stack
    delay = sum(truth[name] for name in ("turbulent", "stratified", "ramp"))
    delay = delay - delay[reference_index(stack)]
    parallax = stack["perpendicular_baseline"].values[:, None] * truth["height_error"]
    parallax = parallax / (stack.attrs["slant_range"] * np.sin(np.radians(truth["incidence"])))
    expected = 4 * np.pi / stack.attrs["wavelength"] * (1e-3 * (delay - truth["displacement"]) + parallax)
    np.testing.assert_allclose(wrapped(phase - expected), 0, atol=1e-3)


def test_the_coherence_of_distributed_scatterers_is_that_of_their_cover():
    """Means over thousands of pixels of one cover against the model, within what so many looks allow."""
    simulation = simulate_stack(
        options(
            scatterers={"density": {}, "on_buildings": 0}, dates=12, ground={**FLAT, "shares": {"rural": 1, "bare": 1}}
        )
    )
    slc, cover = simulation.stack["slc"].values, simulation.truth["cover"].values
    model = StackOptions().scatterers.coherence
    days = simulation.stack["time"].values.astype("datetime64[D]").astype(float)
    for name in ("bare", "pasture", "crops"):
        inside = cover == COVERS.index(name)
        for shift in (1, 2, 3):  # away from the edges of parcels, over which the response of the sensor mixes
            inside[shift:] &= cover[:-shift] == COVERS.index(name)
            inside[:-shift] &= cover[shift:] == COVERS.index(name)
            inside[:, shift:] &= cover[:, :-shift] == COVERS.index(name)
            inside[:, :-shift] &= cover[:, shift:] == COVERS.index(name)
        pixels = slc[:, inside]
        assert pixels.shape[1] > 4000
        power = (abs(pixels) ** 2).mean(axis=1)
        measured = (pixels @ pixels.conj().T).real / pixels.shape[1] / np.sqrt(np.outer(power, power))
        expected = coherence_matrix(getattr(model, name), days)
        np.testing.assert_allclose(10 * np.log10(power.mean()), getattr(model, name).power, atol=0.3)
        np.testing.assert_allclose(measured, expected, atol=0.06)


def test_coherence_models_have_their_shapes():
    covers = StackOptions().scatterers.coherence
    days = np.arange(0, 1500, 6.0)
    pasture, bare, crops = (coherence_matrix(getattr(covers, name), days) for name in ("pasture", "bare", "crops"))
    assert pasture[0, 5] / pasture[0, 10] == pytest.approx(np.exp(30 / 25))  # exponential
    assert bare[0, -1] == pytest.approx(0.45, abs=1e-5)  # long-term
    neighbours = np.diagonal(crops, 1)
    year = days[:-1] % 365.25 + 3
    assert days[neighbours.argmin()] % 365.25 == pytest.approx(193, abs=6)  # lost in summer
    assert neighbours[np.abs(year - 14) < 9].min() > 5 * neighbours[np.abs(year - 196) < 9].max()
    for each in (pasture, bare, crops):
        assert np.linalg.eigvalsh(each).min() > 0


def test_turbulence_has_the_slope_of_its_power_spectrum():
    """−8/3 along a line: from wavelengths of 4 nodes to a tenth of the side, means over 64 screens."""
    screens = turbulence(np.random.default_rng(3), (256, 256), (50.0, 50.0), count=64, variance=4.0, distance=1000.0)
    line = screens[:, ::8] * np.hanning(256)
    power = (abs(np.fft.rfft(line)) ** 2).mean(axis=(0, 1))
    at = np.arange(10, 64)
    slope = np.polyfit(np.log(at), np.log(power[at]), 1)[0]
    assert slope == pytest.approx(-8 / 3, abs=0.12)
    across = (abs(np.fft.rfft(screens[:, :, ::8] * np.hanning(256)[:, None], axis=1)) ** 2).mean(axis=(0, 2))
    np.testing.assert_allclose(across[at].sum() / power[at].sum(), 1, atol=0.15)  # isotropic
    correlation = np.corrcoef(screens[:, ::16, ::16].reshape(64, -1) - screens.mean(axis=(1, 2))[:, None])
    assert abs(correlation[np.triu_indices(64, 1)].mean()) < 0.05  # uncorrelated in time


def test_turbulence_has_its_variance_at_its_distance():
    spacing = (60.0, 45.0)
    screens = turbulence(np.random.default_rng(5), (100, 120), spacing, count=200, variance=4.0, distance=900.0)
    found = [((screens[:, 15:] - screens[:, :-15]) ** 2).mean(), ((screens[..., 20:] - screens[..., :-20]) ** 2).mean()]
    assert np.mean(found) == pytest.approx(4.0, rel=0.08)


def test_turbulence_flattens_where_the_troposphere_is_thin():
    """Structure function 5/3 of a few hundred metres, 2/3 of many kilometres; level beyond the outer scale."""
    scales = (250.0, 1500.0, 20_000.0)
    screens = turbulence(
        np.random.default_rng(6), (300, 60), (100.0, 100.0), count=150, variance=4.0, distance=1000.0, scales=scales
    )
    at = np.array([2, 8, 10, 20, 60, 80, 290])
    found = np.array([((screens[:, k:] - screens[:, :-k]) ** 2).mean() for k in at])
    assert found[2] == pytest.approx(4.0, rel=0.08)
    near, far = (np.log(found[j] / found[i]) / np.log(at[j] / at[i]) for i, j in ((0, 1), (3, 4)))
    assert 1.0 < near < 5 / 3
    assert far == pytest.approx(2 / 3, abs=0.15)
    assert found[6] / found[5] < 1.35  # 2.4 by the power 2/3
    with pytest.raises(ValueError, match="should ascend"):
        StackOptions(atmosphere={"scales": (1500, 250, 20_000)})


def test_side_lobes_are_where_the_response_has_them():
    """Around a single point: the windowed sinc, moved by the part of a pixel that the truth says."""
    simulation = simulate_stack(options(scatterers={**ALONE, "scr": 20, "scr_spread": 0}, dates=2))
    rows, columns = lonely(simulation.truth)
    row, column = next((r, c) for r, c in zip(rows, columns, strict=True) if 9 < r < 290 and 9 < c < 270)
    offset_y, offset_x = (simulation.truth[name].values[row, column] for name in ("offset_y", "offset_x"))
    amplitude = abs(simulation.stack["slc"].values[0])
    power = StackOptions().scatterers.coherence
    cover = COVERS[simulation.truth["cover"].values[row, column]]
    peak = 10 ** ((20 + getattr(power, cover).power) / 20)
    u = np.arange(-8, 9)
    along, across = abs(response(u - offset_y, 0.672, 0.70)), abs(response(u - offset_x, 0.878, 0.75))
    expected = peak * np.outer(along, across)
    around = amplitude[row - 8 : row + 9, column - 8 : column + 9]
    np.testing.assert_allclose(around, expected, atol=1e-5 * peak)


def test_the_signal_to_clutter_ratio_is_what_the_truth_says():
    """Phase noise at small angles: variance 1 / (2 SCR) a date, SCR being less where the point is off its pixel."""
    clutter = {"coherence": {"urban": {"initial": 0, "power": -9}}, "clutter": 1, "scr": 25, "scr_spread": 0}
    simulation = simulate_stack(options(scatterers={**ALONE, **clutter}, ground={**FLAT, **TOWN}, dates=80))
    phase, truth = measured(simulation)
    weaker = response(truth["offset_y"], 0.672, 0.70) * response(truth["offset_x"], 0.878, 0.75)
    ratio = 10 ** (truth["scr"] / 10) * weaker**2
    phase = np.delete(phase, reference_index(simulation.stack), axis=0)
    standardised = phase.var(axis=0, ddof=1) * 2 * ratio  # the noise of the reference is common to all dates
    assert standardised.mean() == pytest.approx(1, abs=0.12)  # of some 20 points


@pytest.mark.parametrize(
    ("window", "level", "place"),
    [(1.0, -13.26, 1.430), (0.75, -21.2, 1.52), (0.54, -42.7, 2.2)],
)
def test_side_lobes_have_their_level(window, level, place):
    """Of the first or largest one: −13.3 dB without a window, −42.7 dB with that of Hamming."""
    u = np.arange(0, 6, 0.001)
    values = abs(response(u / 0.8, 0.8, window))
    null = int(np.argmax(values[1:] > values[:-1]))
    side = null + values[null:].argmax()
    assert 20 * np.log10(values[side]) == pytest.approx(level, abs=0.6)
    if window > 0.6:
        assert u[side] == pytest.approx(place, abs=0.08)


def test_the_response_is_the_transform_of_its_window():
    f = np.linspace(-0.35, 0.35, 20_001)
    weight = 0.7 + 0.3 * np.cos(2 * np.pi * f / 0.7)
    for u in (0.3, 1.0, 2.7):
        direct = (weight * np.cos(2 * np.pi * f * u)).mean() / weight.mean()
        assert response(np.array(u), 0.7, 0.7) == pytest.approx(direct, abs=1e-3)


def test_clutter_has_the_spectrum_of_the_sensor():
    """White within the processed bandwidth but for its window, and nothing beyond."""
    simulation = simulate_stack(
        options(scatterers={"density": {}, "on_buildings": 0}, ground={**FLAT, **TOWN}, dates=2)
    )
    window = np.outer(np.hanning(300), np.hanning(280))
    spectrum = abs(np.fft.fft2(window * simulation.stack["slc"].values[0])) ** 2
    y, x = np.fft.fftfreq(300), np.fft.fftfreq(280)
    inside, outside = (abs(x) < 0.40), (abs(x) > 0.48)
    assert spectrum[:, outside].mean() < 0.01 * spectrum[:, inside].mean()
    assert spectrum[abs(y) > 0.38].mean() < 0.01 * spectrum[abs(y) < 0.3].mean()


@functools.cache
def both_orbits():
    given = {"lines": 300, "pixels": 600, "dates": 8, "seed": 4, "missing": 0}
    return [simulate_stack(StackOptions(orbit=orbit, **given)) for orbit in ("ascending", "descending")]


def test_both_orbits_give_back_east_and_up_of_the_same_ground():
    """Velocities of both at the same latitude and longitude, the north part known, against the ground's own motion."""
    chosen = StackOptions(lines=300, pixels=600, dates=8, seed=4, missing=0)
    ground = make_ground(chosen)
    random = np.random.default_rng(0)
    geometries = [Geometry.of(chosen.model_copy(update={"orbit": orbit})) for orbit in ("ascending", "descending")]
    east, north = random.uniform(-800, 800, (2, 4000))
    stands = ground.building(east, north)
    linear = make_motions(chosen, ground).fields(east, north, stands)[MOTIONS.index("linear")]
    looks, velocities, good = [], [], stands.number == 0
    for geometry, (stack, truth) in zip(geometries, both_orbits(), strict=True):
        row, column = (np.rint(each).astype(int) for each in geometry.image(east, north))
        latitude, longitude = geometry.degrees(east, north)
        np.testing.assert_allclose(stack["latitude"].values[row, column], latitude, atol=1.3e-4)  # half a pixel
        np.testing.assert_allclose(stack["longitude"].values[row, column], longitude, atol=1.3e-4)
        looks.append(np.stack([stack[f"los_{name}"].values[row, column] for name in ("east", "north", "up")]))
        courses = truth["motion_field"].values[MOTIONS.index("linear")][row, column]
        velocities.append(courses - looks[-1][1] * linear[1])
        good &= truth["building"].values[row, column] == 0
    assert good.sum() > 2000
    matrix = np.stack([[look[0], look[2]] for look in looks]).transpose(2, 0, 1)
    solved = np.linalg.solve(matrix[good], np.stack(velocities, axis=-1)[good][..., None])[..., 0]
    assert np.ptp(linear[2]) > 5
    np.testing.assert_allclose(solved[:, 0], linear[0, good], atol=0.35)  # the ground of the nearest pixel, 7 m off
    np.testing.assert_allclose(solved[:, 1], linear[2, good], atol=0.35)


def test_buildings_have_numbers_of_their_own():
    """All around the middle too, where lots are counted from -1 on."""
    ground = make_ground(StackOptions(lines=100, pixels=300, seed=1))
    east, north = np.meshgrid(np.arange(-180.0, 180), np.arange(-180.0, 180))
    stands = ground.building(east, north)
    lot = np.floor(east / 60) * 1000 + np.floor(north / 60)
    built = stands.height > 0
    assert (stands.number[built] > 0).all()
    assert ((east < 0) & (north < 0) & (east > -60) & (north > -60) & built).any()
    pairs = np.unique(np.stack([stands.number[built], lot[built]]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_roofs_that_both_orbits_see_aside_are_where_the_building_stands():
    """Scatterers on roofs, at their true place, are within their building; at the place of their pixel most are not."""
    chosen = StackOptions(lines=300, pixels=600, dates=8, seed=4, missing=0)
    ground, geometry = make_ground(chosen), Geometry.of(chosen)
    for stack, truth in both_orbits():
        persistent = (truth["kind"].values == KINDS.index("persistent")) & (truth["height_error"].values > 15)
        number = truth["building"].values[persistent]
        known = ground.building(*geometry.metres(stack["latitude"].values, stack["longitude"].values))
        true = [truth[f"scatterer_{name}"].values[persistent] for name in ("latitude", "longitude")]
        there = ground.building(*geometry.metres(*true))
        assert number.size > 1000
        assert (there.number == number).mean() > 0.7
        assert (known.number[persistent] == number).mean() < 0.4


def test_looks_are_those_of_the_satellite():
    """As in published products of Sentinel-1."""
    (ascending, _), (descending, _) = both_orbits()
    for stack, expected in ((ascending, (-0.62, -0.10, 0.78)), (descending, (0.59, -0.12, 0.80))):
        found = [float(stack[f"los_{name}"].mean()) for name in ("east", "north", "up")]
        np.testing.assert_allclose(found, expected, atol=0.01)
        up = stack["los_up"].values
        np.testing.assert_allclose(np.degrees(np.arccos(up)), stack["incidence"].values, atol=0.01)
    assert (np.diff(ascending["latitude"].values, axis=0) > 0).all()  # rows follow the orbit
    assert (np.diff(descending["latitude"].values, axis=0) < 0).all()
    assert (np.diff(ascending["longitude"].values, axis=1) > 0).all()  # range grows to the right of it
    assert (np.diff(descending["longitude"].values, axis=1) < 0).all()


def test_the_same_options_give_the_same_stack_in_memory_and_on_disk(tmp_path):
    chosen = StackOptions(lines=90, pixels=270, dates=5, seed=9)
    once = simulate_stack(chosen)
    check_stack(once.stack)
    again = write_simulation(tmp_path, chosen)
    opened = open_simulation(tmp_path)
    check_stack(opened.stack)
    assert once.stack.identical(again.stack.compute())
    for name in once.truth:
        np.testing.assert_array_equal(once.truth[name], opened.truth[name], err_msg=name)
    other = simulate_stack(chosen.model_copy(update={"seed": 10}))
    assert not np.allclose(other.stack["slc"], once.stack["slc"])
    assert StackOptions.model_validate_json(opened.truth.attrs["options"]) == chosen


def test_windows_of_another_size_give_the_same_stack(monkeypatch):
    chosen = StackOptions(lines=150, pixels=210, dates=5, seed=9)
    whole = simulate_stack(chosen)
    monkeypatch.setattr(radar_stack, "CHUNK", 64)
    parts = simulate_stack(chosen)
    np.testing.assert_allclose(parts.stack["slc"], whole.stack["slc"], rtol=1e-4, atol=1e-4)
    for name in ("kind", "building", "height_error", "displacement", "turbulent"):
        np.testing.assert_allclose(parts.truth[name], whole.truth[name], atol=1e-5, err_msg=name)


def test_a_stack_is_made_of_what_was_asked_for():
    simulation = simulate_stack(
        StackOptions(lines=400, pixels=400, dates=20, interval=6, missing=0.3, seed=2,
                     motion={"subsidence": 0, "landslide": 0})
    )  # fmt: skip
    truth, days = simulation.truth, simulation.stack["time"].values.astype("datetime64[D]")
    steps = np.diff(days).astype(int)
    assert set(steps) > {6}
    assert not (steps % 6).any()
    shares = np.bincount(truth["region"].values.ravel(), minlength=len(REGIONS)) / truth["region"].size
    np.testing.assert_allclose(shares, (0.06, 0.14, 0.4, 0.4), atol=0.12)
    persistent = truth["kind"].values == KINDS.index("persistent")
    built = truth["building"].values > 0
    assert persistent[built].mean() == pytest.approx(0.3, abs=0.02)
    assert not persistent[~built & (truth["region"].values == REGIONS.index("water"))].any()  # but roofs lean over it
    scr = truth["scr"].values[persistent]
    assert np.median(scr) == pytest.approx(13, abs=0.3)
    assert np.abs(simulation.stack["perpendicular_baseline"]).max() <= 300
    settled = truth["motion_field"].values[0]
    numbers = truth["building"].values
    ranges = [np.ptp(settled[numbers == number]) for number in np.unique(numbers[built])]
    assert np.max(ranges) > 2  # mm/yr from one side of a building to the other
