"""Changes between two dates: each does what it says, alone, and nothing when off."""

import numpy as np
import pytest
from pydantic import ValidationError

from groundshift.synth.changes import Changes, in_air, on_ground, random_changes, segments
from groundshift.synth.scenes import Sun, hilly, procedural_scene

SCENE = procedural_scene((128, 128), np.random.default_rng(1))
IMAGE = SCENE.reflectance
LOW, HIGH = Sun(azimuth=165, elevation=25), Sun(azimuth=140, elevation=60)
ON_GROUND = [
    {"fields": 0.4},
    {"vegetation": 0.3},
    {"texture": 0.3},
    {"harvest": 0.2},
    {"construction": 0.05},
    {"sun_before": HIGH, "sun_after": LOW, "slope": 10.0},
]
IN_AIR = [{"illumination": 0.2}, {"haze": 0.3}, {"cloud": 0.2}, {"gain": 0.1}, {"offset": 50.0}]


def seeded():
    return np.random.default_rng(7)


def changed(image, field, changes, random):
    return in_air(on_ground(image, changes, random, field=field).image, changes, random).image


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_nothing_changes_when_all_is_off():
    np.testing.assert_array_equal(changed(IMAGE, None, Changes(), seeded()), IMAGE)
    still = Changes(sun_before=HIGH, sun_after=HIGH, slope=10)
    np.testing.assert_allclose(changed(IMAGE, None, still, seeded()), IMAGE, rtol=1e-6)


@pytest.mark.parametrize("each", ON_GROUND + IN_AIR, ids=lambda each: next(iter(each)))
def test_each_switch_changes_the_image_and_is_deterministic(each):
    later = changed(IMAGE, None, Changes(**each), seeded())
    assert later.dtype == np.float32
    assert np.isfinite(later).all()
    assert np.abs(later - IMAGE).max() > 20
    np.testing.assert_array_equal(later, changed(IMAGE, None, Changes(**each), seeded()))


def test_a_change_does_not_alter_the_random_numbers_of_another():
    alone, both = (on_ground(IMAGE, Changes(harvest=0.2, **more), seeded()) for more in ({}, {"texture": 0.3}))
    np.testing.assert_array_equal(alone.replaced, both.replaced)
    np.testing.assert_allclose(alone.image[alone.replaced][::50], both.image[alone.replaced][::50], rtol=0.2)


def test_the_record_survives_json():
    for strength in ("easy", "typical", "hard"):
        for seed in range(20):
            drawn = random_changes(np.random.default_rng(seed), strength)
            assert Changes.model_validate_json(drawn.model_dump_json()) == drawn
            assert drawn == random_changes(np.random.default_rng(seed), strength)
    with pytest.raises(ValidationError):
        Changes(snow=0.5)


def test_harder_means_less_alike():
    alike = []
    for strength in ("easy", "typical", "hard"):
        each = []
        for seed in range(12):
            random = np.random.default_rng(seed)
            each.append(correlation(IMAGE, changed(IMAGE, None, random_changes(random, strength), random)))
        alike.append(np.median(each))
    assert alike[0] > alike[1] + 0.05 > alike[2] + 0.1


def test_fields_change_the_stated_share_of_fields_within_the_stated_factors():
    count = SCENE.field.max() + 1
    ratio = changed(IMAGE, SCENE.field, Changes(fields=0.5), seeded()) / IMAGE
    of_field = np.array([np.median(ratio[SCENE.field == each]) for each in range(count)])
    share = (np.abs(of_field - 1) > 0.005).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / count)
    assert of_field.min() > 0.49
    assert 1.2 < of_field.max() < 1.81


def test_texture_is_replaced_by_the_stated_share():
    later = on_ground(IMAGE, Changes(texture=0.3), seeded(), field=np.zeros(IMAGE.shape, int)).image
    # one segment, so that its share is the draw of one gamma variable; the correlation is what was kept
    kept = correlation(IMAGE, later)
    slope = np.polyfit(IMAGE.ravel(), later.ravel(), 1)[0]
    assert 0.3 < kept < 0.97
    assert kept == pytest.approx(slope, rel=0.15)
    assert later.std() == pytest.approx(IMAGE.std(), rel=0.15)


def test_what_is_replaced_is_marked_and_nothing_else_changes():
    for each in ({"harvest": 0.2}, {"construction": 0.1}):
        later = on_ground(IMAGE, Changes(**each), seeded())
        assert 0.02 < later.replaced.mean() < 0.5
        far = ~np.asarray([np.roll(later.replaced, (i, j), (0, 1)) for i in range(-3, 4) for j in range(-3, 4)]).any(0)
        np.testing.assert_allclose(later.image[far], IMAGE[far], rtol=1e-5)
        assert abs(correlation(IMAGE[later.replaced], later.image[later.replaced])) < 0.6


def test_construction_covers_the_stated_area():
    covered = [
        on_ground(IMAGE, Changes(construction=0.1), np.random.default_rng(seed)).replaced.mean() for seed in range(30)
    ]
    assert 0.05 < np.mean(covered) < 0.15  # sites overlap and leave the image; roads come on top


def test_slopes_that_face_the_sun_are_brighter():
    relief = hilly(IMAGE.shape, seeded(), slope=10)
    changes = Changes(sun_before=Sun(azimuth=180, elevation=89), sun_after=Sun(azimuth=90, elevation=30))
    later = on_ground(IMAGE, changes, seeded(), relief=relief).image
    fall_to_the_right = -np.gradient(relief, axis=1)
    assert correlation(later / IMAGE, fall_to_the_right) > 0.8


def test_haze_takes_contrast():
    hazy = in_air(IMAGE, Changes(haze=0.4), seeded()).image
    assert hazy.mean() > IMAGE.mean()
    slope = np.polyfit(IMAGE.ravel(), hazy.ravel(), 1)[0]
    assert slope == pytest.approx(0.6, abs=0.1)
    assert correlation(IMAGE, hazy) > 0.8


@pytest.mark.parametrize("cover", [0.05, 0.3])
def test_the_mask_holds_the_cloud_and_its_shadow(cover):
    air = in_air(IMAGE, Changes(cloud=cover), seeded())
    np.testing.assert_allclose(air.image[~air.clouded], IMAGE[~air.clouded], rtol=0.06)
    bright = air.image > IMAGE * 1.2
    assert cover * 0.6 < bright.mean() < cover * 1.1
    assert air.clouded[bright].all()
    assert (air.image[air.clouded & ~bright] < IMAGE[air.clouded & ~bright] * 0.6).any()
    assert cover * 0.9 < air.clouded.mean() < 2.1 * cover


def test_gain_and_offset_are_exact():
    later = in_air(IMAGE, Changes(gain=0.2, offset=-30), seeded()).image
    np.testing.assert_allclose(later, 1.2 * IMAGE - 30, rtol=1e-5)


def test_no_data_stays_and_does_not_spread():
    image = IMAGE.copy()
    image[40:60, 30:50] = np.nan
    everything = Changes(
        **{key: value for each in ON_GROUND + IN_AIR for key, value in each.items() if key not in ("cloud", "haze")}
    )
    later = changed(image, None, everything, seeded())
    np.testing.assert_array_equal(np.isnan(later), np.isnan(image))


def test_segments_follow_edges():
    image = np.full((80, 90), 100.0, np.float32)
    image[:, 41:] = 200
    image[50:70, 10:30] = 180
    found = segments(image)
    # pixels of the edges themselves may be segments of their own
    inside = [np.unique(found[at]) for at in (np.s_[:48, :38], np.s_[:, 44:], np.s_[53:67, 13:27])]
    assert [len(each) for each in inside] == [1, 1, 1]
    assert len(np.unique(inside)) == 3
    assert (np.bincount(found.ravel()) > 0).all()


def test_texture_makes_more_than_one_segment():
    found = segments(IMAGE)
    assert 10 < found.max() < 60
