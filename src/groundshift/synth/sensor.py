"""What a sensor and its processing make of the ground: geometry, sampling, noise, counts."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import fft, ndimage

from groundshift.kernels.spline import fill_holes
from groundshift.synth.changes import Changes, Strength, generators, in_air
from groundshift.synth.warp import Inverse, Warped, inverse, resample


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wave(_Record):
    """A sinusoid of the attitude along the track."""

    amplitude_x: float = Field(description="pixels")
    amplitude_y: float = Field(description="pixels")
    period: float = Field(gt=0, description="pixels along the track")
    phase: float = Field(0.0, description="degrees, at pixel (0, 0)")


class Step(_Record):
    """A lasting change of the displacement, beyond a place."""

    at: float = Field(description="pixels along the track, or across it")
    dx: float = Field(description="pixels")
    dy: float = Field(description="pixels")


class Geometry(_Record):
    """Displacement that an image has against the ground by its own geometry; none by default.

    A wrong model of the platform, of its attitude and of its detectors moves pixels: it is part of the truth of what
    can be measured between two images, and not of the motion of the ground. Along track is down the rows, turned by
    `track`; across is to the right, turned likewise. All places are in pixels of the first image.
    """

    shift_x: float = Field(0.0, description="misregistration to the right at pixel (0, 0), pixels")
    shift_y: float = Field(0.0, description="misregistration down at pixel (0, 0), pixels")
    ramp: tuple[float, float, float, float] = Field(
        (0.0, 0.0, 0.0, 0.0), description="change of dx to the right and down, of dy to the right and down, pixel/pixel"
    )
    track: float = Field(0.0, description="direction of flight, degrees clockwise from down")
    waves: tuple[Wave, ...] = Field((), description="attitude jitter along the track")
    steps: tuple[Step, ...] = Field((), description="sudden changes of attitude along the track")
    seams: tuple[Step, ...] = Field((), description="edges of detector arrays across the track")

    def __call__(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dy), pixels, float64, at rows and columns of the first image."""
        along, across = self.track_coordinates(rows, cols)
        dx = self.shift_x + self.ramp[0] * cols + self.ramp[1] * rows
        dy = self.shift_y + self.ramp[2] * cols + self.ramp[3] * rows
        for wave in self.waves:
            sine = np.sin(2 * np.pi * along / wave.period + np.radians(wave.phase))
            dx, dy = dx + wave.amplitude_x * sine, dy + wave.amplitude_y * sine
        for place, steps in ((along, self.steps), (across, self.seams)):
            for step in steps:
                dx, dy = dx + np.where(place >= step.at, step.dx, 0), dy + np.where(place >= step.at, step.dy, 0)
        return dx, dy

    def track_coordinates(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places along and across the track, pixels."""
        angle = np.radians(self.track)
        return rows * np.cos(angle) - cols * np.sin(angle), cols * np.cos(angle) + rows * np.sin(angle)


class Resampling(_Record):
    """An interpolation that the product went through before it was delivered.

    `bilinear` and `cubic`: from a grid that is off by (`shift_x`, `shift_y`) pixels. The content stays in place; it is
    blurred, most where the shift is half a pixel. `nearest`: to a grid whose pixels are `scale` as large and turned by
    `turn`, and back, as when degrees and UTM follow each other: some rows and columns come twice, others never, and
    pixels are off by what :meth:`displacement` says.
    """

    kind: Literal["nearest", "bilinear", "cubic"]
    shift_x: float = Field(0.0, ge=-1, le=1, description="pixels")
    shift_y: float = Field(0.0, ge=-1, le=1, description="pixels")
    scale: float = Field(1.0, gt=0.5, lt=2, description="size of a pixel of the grid between, pixels; nearest only")
    turn: float = Field(0.0, description="of the grid between, degrees; nearest only")

    def sources(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, int (y, x), that `nearest` takes each pixel from."""
        rows, cols = np.indices(shape, dtype=float)
        cos, sin = np.cos(np.radians(self.turn)) / self.scale, np.sin(np.radians(self.turn)) / self.scale
        between_x = np.rint(cols * cos + rows * sin + self.shift_x) - self.shift_x
        between_y = np.rint(rows * cos - cols * sin + self.shift_y) - self.shift_y
        back = self.scale**2
        col, row = back * (between_x * cos - between_y * sin), back * (between_y * cos + between_x * sin)
        return tuple(
            np.clip(np.rint(each), 0, size - 1).astype(int) for each, size in zip((row, col), shape, strict=True)
        )

    def displacement(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dy) of the content by the rounding of `nearest`, pixels, (y, x); 0 for the others."""
        rows, cols = np.indices(shape)
        if self.kind != "nearest":
            return np.zeros(shape), np.zeros(shape)
        row, col = self.sources(shape)
        return cols - col.astype(float), rows - row.astype(float)


class Sensor(_Record):
    """A sensor and its processing; each effect is off at 0 or None, so that the default changes nothing."""

    ratio: float = Field(1.0, ge=1, description="pixels of the scene along a pixel of the sensor")
    mtf: float | None = Field(
        None, gt=0, lt=1, description="modulation transfer of optics and detector, Gaussian, at the Nyquist frequency"
    )
    geometry: Geometry = Field(Geometry(), description="displacement of the image against the ground")
    read_noise: float = Field(0.0, ge=0, description="standard deviation of noise in the dark, units of the image")
    shot_noise: float = Field(0.0, ge=0, description="variance of noise for each unit of signal, units of the image")
    column_gain: float = Field(0.0, ge=0, description="standard deviation of the relative gains of detectors")
    row_gain: float = Field(0.0, ge=0, description="standard deviation of the relative gains of lines")
    resampling: Resampling | None = Field(None, description="an interpolation before delivery")
    bits: Literal[8, 10, 11, 12, 16] | None = Field(None, description="of the counts")
    full_scale: float | None = Field(
        None, gt=0, description="value of the highest count, units of the image; its 99.9 % quantile if None"
    )


class Look(NamedTuple):
    """What a sensor saw."""

    image: np.ndarray  # float32 (y, x), units of the scene, also where it was rounded to counts; NaN is no data
    valid: np.ndarray  # bool (y, x): ground of the scene that was not NaN
    saturated: np.ndarray  # bool (y, x): at the highest count
    clouded: np.ndarray  # bool (y, x): cloud or the shadow of one


def look(
    scene: np.ndarray, sensor: Sensor, random: np.random.Generator, *,
    back: Inverse | None = None, air: Changes | None = None,
) -> Look:  # fmt: skip
    """See a scene: blur, one interpolation at the places looked at, air, noise, stripes, resampling, counts.

    Parameters
    ----------
    scene
        Reflectance, (y, x), `sensor.ratio` times finer than what comes out; NaN is no data.
    back
        Where each pixel that is looked at was on the grid of the sensor's first look. None for such a first look: the
        sensor's own geometry alone. For a second look, from :func:`groundshift.synth.warp.inverse` of the sum of the
        motion of the ground and `sensor.geometry`, so that everything is interpolated once.
    air
        What :func:`groundshift.synth.changes.in_air` does before the light is measured.
    """
    air_random, sensor_random = generators(random, 2)
    image, valid = sampled(scene, sensor, back=back)
    clouded = np.zeros(image.shape, bool)
    if air is not None:
        image, clouded = in_air(image, air, air_random)
    image, saturated = detected(image, sensor, sensor_random)
    return Look(image, valid & np.isfinite(image), saturated, clouded)


def sampled(scene: np.ndarray, sensor: Sensor, *, back: Inverse | None = None) -> Warped:
    """The scene behind the point spread function at the pixels of a sensor; see :func:`look`."""
    if back is None:
        shape = tuple(int(size / sensor.ratio) for size in scene.shape)
        back = (
            _still(shape)
            if sensor.geometry == Geometry()
            else inverse(sensor.geometry(*np.indices(shape, dtype=float)))
        )
    seen = blurred(scene, mtf=sensor.mtf, ratio=sensor.ratio)
    if sensor.ratio == 1 and back.dx.shape == seen.shape and not back.dx.any() and not back.dy.any():
        return Warped(seen, np.isfinite(seen))
    return resample(seen, back, ratio=sensor.ratio)


def _still(shape: tuple[int, int]) -> Inverse:
    return Inverse(*np.zeros((2, *shape), np.float32), np.ones(shape, bool))


def detected(image: np.ndarray, sensor: Sensor, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gains of detectors and lines, noise, resampling and counts of an image that was sampled.

    Returns
    -------
    image, saturated
        float32 and bool, (y, x), as in :class:`Look`.
    """
    noise, stripes = generators(random, 2)
    image = _striped(image, sensor, stripes)
    if sensor.read_noise or sensor.shot_noise:
        variance = sensor.read_noise**2 + sensor.shot_noise * np.clip(image, 0, None)
        image = image + np.sqrt(variance) * noise.standard_normal(image.shape, dtype=np.float32)
    if sensor.resampling is not None:
        image = resampled(image, sensor.resampling)
    return _counted(image, sensor)


def blurred(scene: np.ndarray, *, mtf: float | None, ratio: float = 1.0) -> np.ndarray:
    """The scene behind a Gaussian point spread function, float32 (y, x).

    Applied to the cosine transform, that is mirrored at the border, and so exact also where the function is narrower
    than a pixel of the scene. With no `mtf`, an average over the area of a pixel.

    Parameters
    ----------
    scene
        (y, x); NaN is no data, and stays; what is near one is blurred with the nearest value.
    mtf
        At the Nyquist frequency of the sensor, 0.5 / `ratio` cycles a pixel of the scene.
    """
    filled, ok = fill_holes(np.asarray(scene, dtype=np.float32))
    if mtf is None and ratio == 1:
        return np.asarray(scene, dtype=np.float32)
    frequencies = [np.arange(size, dtype=np.float32) / (2 * size) * ratio for size in scene.shape]
    if mtf is None:
        y, x = (np.sinc(each) for each in frequencies)
    else:
        y, x = (mtf ** ((2 * each) ** 2) for each in frequencies)
    out = fft.idctn(fft.dctn(filled, type=2) * (y[:, None] * x).astype(np.float32), type=2)
    return np.where(ok, out, np.nan).astype(np.float32)


def resampled(image: np.ndarray, resampling: Resampling) -> np.ndarray:
    """The image after its processing; float32 (y, x). See :class:`Resampling`."""
    if resampling.kind == "nearest":
        return image[resampling.sources(image.shape)]
    shift_x, shift_y = resampling.shift_x, resampling.shift_y
    taps = _cubic if resampling.kind == "cubic" else _linear
    still = np.ones(image.shape, np.float32)
    out = resample(image, Inverse(-shift_x * still, -shift_y * still, still > 0)).image
    for axis, shift in enumerate((shift_y, shift_x)):
        out = ndimage.correlate1d(out, taps(shift), axis=axis, mode="mirror")
    return out


def _linear(t: float) -> np.ndarray:
    """Weights of three samples around a place that is t beyond the middle one."""
    return np.clip(1 - np.abs(np.arange(-1, 2) - t), 0, None)


def _cubic(t: float) -> np.ndarray:
    """Cubic convolution (Keys 1981, doi:10.1109/TASSP.1981.1163711, a = -1/2): weights of five samples."""
    u = np.abs(np.arange(-2, 3) - t)
    near, far = (1.5 * u - 2.5) * u**2 + 1, ((-0.5 * u + 2.5) * u - 4) * u + 2
    return np.where(u < 1, near, np.where(u < 2, far, 0))


def _striped(image: np.ndarray, sensor: Sensor, random: np.random.Generator) -> np.ndarray:
    """The image with the gains of its detectors and lines, which follow the track."""
    if not sensor.column_gain and not sensor.row_gain:
        return image
    along, across = sensor.geometry.track_coordinates(*np.indices(image.shape, dtype=float))
    for place, share in ((across, sensor.column_gain), (along, sensor.row_gain)):
        if share:
            index = np.rint(place - place.min()).astype(int)
            image = image * (1 + share * random.normal(size=index.max() + 1)).astype(np.float32)[index]
    return image


def _counted(image: np.ndarray, sensor: Sensor) -> tuple[np.ndarray, np.ndarray]:
    """The image rounded to counts, in its own units, and where it is saturated."""
    if sensor.bits is None:
        return image.astype(np.float32), np.zeros(image.shape, bool)
    top = 2**sensor.bits - 1
    full = sensor.full_scale or max(float(np.nanquantile(image, 0.999)), 1e-6)
    counts = np.clip(np.rint(image * (top / full)), 0, top)
    return (counts * (full / top)).astype(np.float32), counts == top


def random_sensor(
    random: np.random.Generator, strength: Strength = "typical", *, shape: tuple[int, int], level: float,
    ratio: float = 1.0,
) -> Sensor:  # fmt: skip
    """Draw a sensor and its geometry.

    Distributions, with the scales of :data:`_SCALES`: offset normal; ramp normal, so that it is as much as stated at
    the corner against the middle; one to three waves of log-uniform period 20 to 400 pixels, and amplitudes that share
    the rms jitter; one step and one seam with a probability; track normal, 11 degrees; MTF at Nyquist uniform;
    signal-to-noise log-uniform, of which shot noise is a uniform share; stripes half-normal; a resampling with a
    probability, of any kind, with uniform shifts; 8 to 16 bit.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    level
        Typical value of the image, which the signal-to-noise ratio is for.
    ratio
        Pixels of the scene along a pixel of the sensor. At 1 the image has been seen already, and has no more MTF.
    """
    scale = _SCALES[strength]
    size = max(shape)
    noise = level / np.exp(random.uniform(*np.log(scale["snr"])))
    shot = random.uniform(0, 1)
    bits = random.choice(scale["bits"])
    return Sensor(
        ratio=ratio,
        mtf=float(random.uniform(*scale["mtf"])) if ratio > 1 else None,
        geometry=_random_geometry(random, scale, shape, size),
        read_noise=float(noise * np.sqrt(1 - shot)),
        shot_noise=float(noise**2 * shot / level),
        column_gain=float(abs(random.normal(0, scale["stripes"]))),
        row_gain=float(abs(random.normal(0, scale["stripes"] / 3))),
        resampling=_random_resampling(random) if random.uniform() < scale["resampling"] else None,
        bits=int(bits),
        full_scale=float(level * random.uniform(4, 8)),
    )


def _random_geometry(random: np.random.Generator, scale: dict, shape: tuple[int, int], size: int) -> Geometry:
    ramp = random.normal(0, scale["ramp"] * 2 / size, 4)
    middle = (np.array(shape) - 1) / 2
    shift = random.normal(0, scale["shift"], 2) - ramp.reshape(2, 2) @ middle[::-1]
    count = random.integers(1, 4)
    share = np.sqrt(random.dirichlet(np.ones(count)))
    rms = abs(random.normal(0, scale["jitter"]))
    waves = []
    for each in share:
        angle, period = random.uniform(0, 2 * np.pi), np.exp(random.uniform(np.log(20), np.log(400)))
        waves.append(
            Wave(
                amplitude_x=float(np.sqrt(2) * rms * each * np.cos(angle)),
                amplitude_y=float(np.sqrt(2) * rms * each * np.sin(angle)),
                period=float(period), phase=float(random.uniform(0, 360)),
            )
        )  # fmt: skip
    jumps = [
        (Step(at=float(random.uniform(0, extent)), dx=float(each[0]), dy=float(each[1])),)
        if random.uniform() < scale["jump_chance"] else ()
        for extent, each in zip(shape, random.normal(0, scale["jump"], (2, 2)), strict=True)
    ]  # fmt: skip
    return Geometry(
        shift_x=float(shift[0]), shift_y=float(shift[1]), ramp=tuple(float(each) for each in ramp),
        track=float(random.normal(0, 11)), waves=tuple(waves), steps=jumps[0], seams=jumps[1],
    )  # fmt: skip


def _random_resampling(random: np.random.Generator) -> Resampling:
    kind = ("nearest", "bilinear", "cubic")[random.integers(3)]
    shift_x, shift_y = random.uniform(-0.5, 0.5, 2)
    scale, turn = (random.uniform(1.02, 1.2), random.normal(0, 1)) if kind == "nearest" else (1, 0)
    return Resampling(kind=kind, shift_x=float(shift_x), shift_y=float(shift_y), scale=float(scale), turn=float(turn))


_SCALES: dict[str, dict] = {
    "easy": {
        "shift": 0.1, "ramp": 0.03, "jitter": 0.02, "jump": 0.03, "jump_chance": 0.1, "mtf": (0.15, 0.3),
        "snr": (100, 300), "stripes": 0.0005, "resampling": 0.1, "bits": (12, 16),
    },
    "typical": {
        "shift": 0.3, "ramp": 0.08, "jitter": 0.05, "jump": 0.07, "jump_chance": 0.25, "mtf": (0.1, 0.35),
        "snr": (50, 200), "stripes": 0.001, "resampling": 0.3, "bits": (11, 12, 16),
    },
    "hard": {
        "shift": 0.8, "ramp": 0.25, "jitter": 0.15, "jump": 0.2, "jump_chance": 0.5, "mtf": (0.05, 0.45),
        "snr": (15, 100), "stripes": 0.004, "resampling": 0.6, "bits": (8, 10, 11),
    },
}  # fmt: skip
