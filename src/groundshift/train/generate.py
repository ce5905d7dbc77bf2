"""Batches for training, made on a device: the recipe of :func:`groundshift.synth.pairs.make_sample` with torch.

Views, motions and settings come from a :class:`~groundshift.train.bank.Bank`; which of them meet, how a motion is
turned and scaled, and all noise are drawn anew for each batch, from the seed and its number alone::

    make = Batches(make_bank(PairOptions(), views=500, motions=2000), "cuda", seed=1)
    for number in range(steps):
        batch = make(number, 32)

A batch is a dictionary as from :func:`groundshift.train.data.batches`, of tensors, with the same labels: `flow` on the
first image, dx right and dy down. Unlike single samples, jumps are one pixel wide in the second image, hills cast no
shadows, and nothing is built.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from groundshift.kernels.robust import TO_SIGMA
from groundshift.synth.changes import SHADOW, VISIBLE
from groundshift.synth.options import MARGIN
from groundshift.train.bank import Bank
from groundshift.train.data import LIMIT
from groundshift.train.resample import Inverse, bilinear, coefficients, inverse, warp

_MODES = 4  # cosines of a broad pattern, along each side
_SAME = 0.5  # pixels by which the way there and back may differ


class Batches:
    """Makes batches of a bank on a device, each decided by the seed and its number (and the kind of device)."""

    def __init__(self, bank: Bank, device: str | torch.device = "cpu", *, seed: int = 0):
        self.options, self.device, self.seed = bank.options, torch.device(device), seed
        arrays = {name: getattr(bank, name) for name in ("before", "known", "after", "shift", "relief", "sun", "flow",
                                                         "distance", "factor")}  # fmt: skip
        self.bank = {name: self._moved(each) for name, each in arrays.items() if each is not None}
        self.field = self._moved(bank.field)  # int16, widened when used
        self.segments = int(bank.field.max()) + 1
        self.settings = {name: self._moved(each) for name, each in bank.settings.items()}

    def _moved(self, array: Any) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    @torch.no_grad()
    def __call__(self, number: int, size: int) -> dict[str, Tensor]:
        """Batch of a number, of `size` samples: `images` (b, 2, y, x), `flow` (b, 2, y, x), `valid` and `distance`."""
        random = torch.Generator(self.device).manual_seed(((self.seed + 1) * 0x9E3779B1 + number) % 2**63)
        view, motion, setting = (
            torch.randint(length, (size,), generator=random, device=self.device)
            for length in (len(self.bank["before"]), len(self.bank["flow"]), len(self.settings["gain"]))
        )
        s = {name: each[setting] for name, each in self.settings.items()}
        ground, known = self.bank["before"][view], self.bank["known"][view]
        level = ground.flatten(1).median(1).values.clamp(min=1e-6)
        other = self._other_date(random, size)
        shift = torch.where(other[:, None], self.bank["shift"][view], 0)
        motion, distance = self._motion(motion, random)
        flow = motion + shift[:, :, None, None]
        flow = flow + self._added(random, size)[:, None, None, None] * geometry(s, motion.shape[-2:])
        back = inverse(flow)

        later = changed(ground, self.field[view].long(), self.bank["relief"][view], self.bank["sun"][view], s,
                        self.segments, random)  # fmt: skip
        noise = torch.where(other, 0.0, 1.0)
        if "after" in self.bank:
            later = torch.where(other[:, None, None], self.bank["after"][view], later)
        way = back.flow + MARGIN + shift[:, :, None, None]
        seen, usable = sampled(later, known, way)
        air, clouded = in_air(seen, s, noise, random)
        inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        pre, post = (detected(image, s, level, noise, random) for image in (ground[inner], air))
        valid = known[inner] & arrived(flow, back, usable & ~clouded)
        return {
            "images": torch.stack([normalised(pre), normalised(post)], dim=1),
            "flow": torch.where(valid[:, None], flow, 0), "valid": valid, "distance": distance,
        }  # fmt: skip

    def _other_date(self, random: torch.Generator, size: int) -> Tensor:
        share = self.options.other_date if "after" in self.bank else 0.0
        return torch.rand(size, generator=random, device=self.device) < share

    def _added(self, random: torch.Generator, size: int) -> Tensor:
        """Whether a sensor's geometry moves the second image, (b,)."""
        if self.options.added_geometry == 1:
            return torch.ones(size, dtype=torch.bool, device=self.device)
        return torch.rand(size, generator=random, device=self.device) < self.options.added_geometry

    def _motion(self, index: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Motions under random symmetries, scaled log-uniformly within their class, and their distances."""
        chance = torch.rand(4, len(index), generator=random, device=self.device)
        factor = self.bank["factor"][index] ** chance[3]
        arrays = torch.cat([self.bank["flow"][index] * factor[:, None, None, None],
                            self.bank["distance"][index, None]], dim=1)  # fmt: skip
        turned = symmetric(arrays, *(chance[:3] < 0.5))
        return turned[:, :2], turned[:, 2]


def symmetric(arrays: Tensor, right_left: Tensor, down_up: Tensor, swapped: Tensor) -> Tensor:
    """Images (b, c, y, x), the first two channels of which are dx and dy, mirrored and transposed where said (b,)."""
    signs = arrays.new_tensor([[-1.0, 1.0], [1.0, -1.0]])
    rest = arrays.new_ones(arrays.shape[1] - 2)
    for axis, (chosen, sign) in enumerate(zip((right_left, down_up), signs, strict=True)):
        mirrored = arrays.flip(-1 - axis) * torch.cat([sign, rest])[:, None, None]
        arrays = torch.where(chosen[:, None, None, None], mirrored, arrays)
    transposed = torch.cat([arrays[:, 1:2], arrays[:, :1], arrays[:, 2:]], dim=1).mT
    return torch.where(swapped[:, None, None, None], transposed, arrays)


def geometry(s: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    """Displacement by the second image's own geometry, (b, 2, y, x); see :class:`groundshift.synth.sensor.Geometry`."""
    along, across, rows, cols = _track(s, shape)
    ramp = s["ramp"].view(-1, 2, 2, 1, 1)
    out = s["offset"][:, :, None, None] + ramp[:, :, 0] * cols + ramp[:, :, 1] * rows
    for k in range(s["waves"].shape[1]):
        amplitude, period, phase = s["waves"][:, k, :2], s["waves"][:, k, 2], s["waves"][:, k, 3]
        angle = 2 * math.pi * along / _wide(period) + _wide(phase.deg2rad())
        out = out + amplitude[:, :, None, None] * angle.sin()[:, None]
    for place, jump in ((along, s["step"]), (across, s["seam"])):
        out = out + jump[:, 1:, None, None] * (place >= _wide(jump[:, 0]))[:, None]
    return out


def _track(s: dict[str, Tensor], shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Places along and across the track, (b, y, x), rows (y, 1) and columns (x,), pixels."""
    rows, cols = (torch.arange(size, device=s["track"].device, dtype=torch.float32) for size in shape)
    rows, (cos, sin) = rows[:, None], (_wide(each) for each in (s["track"].deg2rad().cos(), s["track"].deg2rad().sin()))
    return rows * cos - cols * sin, cols * cos + rows * sin, rows, cols


def changed(
    image: Tensor, field: Tensor, relief: Tensor, sun: Tensor, s: dict[str, Tensor], segments: int,
    random: torch.Generator,
) -> Tensor:  # fmt: skip
    """The ground as it looks later, (b, y, x); see :func:`groundshift.synth.changes.on_ground`."""
    size, count = len(image), segments

    def per_segment(values: Tensor) -> Tensor:
        return values.gather(1, field.flatten(1)).view_as(image)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(size, count, generator=random, device=image.device)

    dark, bright = torch.quantile(image[:, ::4, ::4].flatten(1), image.new_tensor([0.03, 0.97]), dim=1)[..., None]
    span = (bright - dark).clamp(min=1e-9)
    mean, std = moments(image, field, count)
    openness = 1 / (1 + (6 * std / span) ** 2)

    detail, level = image - per_segment(mean), per_segment(mean)
    shares = (_wide(s["texture"])[:, 0] * (0.2 * _gamma5(size, count, random, image.device))).clamp(0, 1)
    kept = smoothed(1 - per_segment(shares), 0.6)
    pattern = smoothed(_normal(image.shape, random, image.device), 1.2)
    pattern = pattern / pattern.flatten(1).std(1)[:, None, None]
    elsewhere = (detail / per_segment(std).clamp(min=1e-6)).flip(-1, -2)
    elsewhere = rolled(elsewhere, *(torch.randint(n, (size,), generator=random, device=image.device)
                                    for n in image.shape[-2:]))  # fmt: skip
    new = math.sqrt(0.5) * (detail * pattern + elsewhere * smoothed(per_segment(std), 0.6))
    out = level + kept * detail + (1 - kept**2).clamp(0, 1).sqrt() * new

    cover = (openness * s["vegetation"][:, None] * _normal((size, count), random, image.device)).clamp(-0.9, 0.9)
    toward = torch.where(cover > 0, dark, dark + uniform(0.4, 1) * span)
    out = out + smoothed(per_segment(cover.abs()), 0.6) * (smoothed(per_segment(toward), 0.6) - out)

    changing = uniform(0, 1) < s["fields"][:, None]
    out = out * smoothed(per_segment(1 + changing * openness * (uniform(0.5, 1.8) - 1)), 0.6)

    present = torch.zeros_like(openness).scatter_(1, field.flatten(1), 1.0)
    likely = s["harvest"][:, None] * openness / ((openness * present).sum(1) / present.sum(1))[:, None]
    bare = (uniform(0, 1) < likely).to(image.dtype)
    rows, cols = (torch.arange(n, device=image.device, dtype=image.dtype) for n in image.shape[-2:])
    angle, wave = uniform(0, math.pi), 2 * math.pi / uniform(2.5, 9)
    furrows = (per_segment(wave * angle.cos()) * cols + per_segment(wave * angle.sin()) * rows[:, None]).sin()
    texture = 0.04 * furrows + 0.08 * power_law(image.shape, random, image.device, slope=0.9)
    soil = dark[..., None] + span[..., None] * (per_segment(uniform(0.3, 0.9)) + texture)
    out = out + smoothed(per_segment(bare), 0.6) * (soil - out)

    before, after = s["sun_before"], s["sun_after"]
    start = torch.where(sun.isnan(), before, sun)
    end = start + after - before
    end = torch.stack([end[:, 0], end[:, 1].clamp(12, 80)], dim=1)
    return out * (light(relief, end) / light(relief, start)).clamp(0.1, 4)


def light(relief: Tensor, sun: Tensor) -> Tensor:
    """Light on a relief (b, y, x) by the cosine law, as :func:`groundshift.synth.scenes.illuminated`."""
    azimuth, elevation = (_wide(each) for each in sun.deg2rad().unbind(1))
    down, right = torch.gradient(relief, dim=(1, 2))
    facing = elevation.sin() - elevation.cos() * (right * azimuth.sin() - down * azimuth.cos())
    facing = facing.clamp(min=0) / (1 + right**2 + down**2).sqrt()
    return (facing + 0.15) / (elevation.sin() + 0.15)


def sampled(image: Tensor, known: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """The image (b, Y, X) at (x + dx, y + dy), (b, y, x), and where no sample that is not known was touched."""
    dx, dy = way.unbind(1)
    missing = functional.max_pool2d((~known)[:, None].float(), 7, 1, 3)
    rows, cols = (torch.arange(n, device=way.device, dtype=way.dtype) for n in dx.shape[-2:])
    x, y = cols + dx, rows[:, None] + dy
    inside = (x >= 0) & (x <= image.shape[-1] - 1) & (y >= 0) & (y <= image.shape[-2] - 1)
    return warp(coefficients(image), dx, dy), inside & (bilinear(missing, x, y)[:, 0] == 0)


def in_air(image: Tensor, s: dict[str, Tensor], on: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """The image through the air, and where clouds or their shadows are; as :func:`groundshift.synth.changes.in_air`.

    `on` (b,) is 0 where the image has an air of its own already.
    """
    bright = _wide(torch.quantile(image[:, ::4, ::4].flatten(1), 0.97, dim=1))
    amounts = {name: _wide(s[name] * on) for name in ("illumination", "haze", "cloud", "gain")}
    out = image * (1 + amounts["illumination"] * _broad(image.shape, random, image.device))
    opacity, shadow = _clouds(image.shape, amounts["cloud"], s, random, image.device)
    clouded = (opacity > VISIBLE) | (shadow > VISIBLE)
    top = bright * (1.5 + 0.15 * power_law(image.shape, random, image.device, slope=1.5))
    out = out * (1 - SHADOW * shadow)
    out = out + opacity * (top - out)
    share = (amounts["haze"] * (1 + 0.5 * _broad(image.shape, random, image.device))).clamp(0, 0.98)
    return (out + share * (bright - out)) * (1 + amounts["gain"]), clouded


def _clouds(
    shape: torch.Size, cover: Tensor, s: dict[str, Tensor], random: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Opacity of clouds and of their shadows, (b, y, x), on a share `cover` (b, 1, 1) of the area."""
    thickness = power_law(shape, random, device, slope=1.8, blur=1.5)
    ranked = thickness.flatten(1).sort(1).values
    last = ranked.shape[1] - 1
    least = ranked.gather(1, ((1 - cover[:, 0]) * last).round().long())
    ramp = ((thickness - least[..., None]) / 0.35).clamp(0, 1)
    opacity = torch.where(cover > 0, ramp * ramp * (3 - 2 * ramp), 0)
    azimuth, elevation = s["sun_after"].deg2rad().unbind(1)
    away = s["cloud_height"] / elevation.tan()
    return opacity, rolled(opacity, (away * azimuth.cos()).round().long(), (-away * azimuth.sin()).round().long())


def detected(image: Tensor, s: dict[str, Tensor], level: Tensor, on: Tensor, random: torch.Generator) -> Tensor:
    """Counts of the sensor, rounded, (b, y, x); see :func:`groundshift.synth.sensor.detected`.

    `level` (b,) is what noise and full scale are relative to; `on` (b,) is 0 for images that have noise already.
    """
    along, across, *_ = _track(s, image.shape[-2:])
    for place, share in ((across, s["column_gain"]), (along, s["row_gain"])):
        index = (place - place.amin((1, 2), keepdim=True)).round().long()
        gains = _normal((len(image), int(sum(image.shape[-2:])) + 2), random, image.device)
        image = image * (1 + _wide(share * on) * gains.gather(1, index.flatten(1)).view_as(image))
    variance = _wide((s["read_noise"] * level * on) ** 2) + _wide(s["shot_noise"] * level * on) * image.clamp(min=0)
    image = image + variance.sqrt() * _normal(image.shape, random, image.device)
    image = resampled(image, s["resampled"], s["cubic"] > 0)
    top = _wide(s["top"])
    return (image * top / _wide(s["full_scale"] * level)).round().clamp(min=0).minimum(top)


def resampled(image: Tensor, shift: Tensor, cubic: Tensor) -> Tensor:
    """The image after a bilinear or cubic interpolation from a grid off by shift (b, 2), 0 for none.

    See :class:`groundshift.synth.sensor.Resampling`.
    """
    moved = -shift[:, :, None, None].expand(-1, -1, *image.shape[-2:])
    out = warp(coefficients(image), moved[:, 0], moved[:, 1])[None]
    for axis in (0, 1):  # to the right, then down
        u = (torch.arange(-2, 3, device=image.device) - shift[:, axis, None]).abs()
        near, far = (1.5 * u - 2.5) * u**2 + 1, ((-0.5 * u + 2.5) * u - 4) * u + 2
        keys = torch.where(u < 1, near, torch.where(u < 2, far, 0))
        taps = torch.where(cubic[:, None], keys, (1 - u).clamp(min=0))
        side = (2, 2, 0, 0) if axis == 0 else (0, 0, 2, 2)
        weights = taps[:, None, None, :] if axis == 0 else taps[:, None, :, None]
        out = functional.conv2d(functional.pad(out, side, mode="reflect"), weights, groups=len(image))
    still = (shift == 0).all(1)
    return torch.where(still[:, None, None], image, out[0])


def arrived(flow: Tensor, back: Inverse, usable: Tensor) -> Tensor:
    """Whether ground of the first image is on the second: all where it went is usable, and comes back; (b, y, x)."""
    height, width = flow.shape[-2:]
    rows, cols = (torch.arange(n, device=flow.device, dtype=flow.dtype) for n in (height, width))
    x, y = cols + flow[:, 0], rows[:, None] + flow[:, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    good, same = inside, torch.zeros_like(inside)
    for down in (0, 1):
        for right in (0, 1):
            row, col = (y.floor() + down).clamp(0, height - 1), (x.floor() + right).clamp(0, width - 1)
            index = (row * width + col).long().flatten(1)
            there = back.flow.flatten(2).gather(2, index[:, None].expand(-1, 2, -1)).view_as(flow)
            near = torch.hypot(*(there + flow).unbind(1)) < _SAME
            same = same | (near & back.found.flatten(1).gather(1, index).view_as(same))
            good = good & usable.flatten(1).gather(1, index).view_as(good)
    return good & same


def normalised(image: Tensor) -> Tensor:
    """Images (b, y, x) with median 0 and normalised median absolute deviation 1, cut off far from them."""
    off = image - _wide(image.flatten(1).median(1).values)
    scale = TO_SIGMA * off.abs().flatten(1).median(1).values
    spread = off.flatten(1).std(1)
    scale = torch.where(scale > 0, scale, torch.where(spread > 0, spread, 1))
    return (off / _wide(scale)).clamp(-LIMIT, LIMIT)


def moments(image: Tensor, field: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of images in each segment, (b, count)."""
    index, values = field.flatten(1), image.flatten(1)
    zero = values.new_zeros(len(values), count)
    size = zero.scatter_add(1, index, torch.ones_like(values)).clamp(min=1)
    mean = zero.scatter_add(1, index, values) / size
    return mean, (zero.scatter_add(1, index, (values - mean.gather(1, index)) ** 2) / size).sqrt()


def smoothed(image: Tensor, sigma: float) -> Tensor:
    """Images (b, y, x) under a Gaussian that is cut at three standard deviations, the border pixels repeated."""
    radius = int(3 * sigma + 0.5)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=image.device) / sigma) ** 2)
    taps = (taps / taps.sum()).to(image.dtype)
    out = functional.pad(image[:, None], (radius,) * 4, mode="replicate")
    out = functional.conv2d(functional.conv2d(out, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return out[:, 0]


def rolled(image: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Images (b, y, x) moved by whole pixels (b,), what leaves on one side coming back on the other."""
    height, width = image.shape[-2:]
    rows = (torch.arange(height, device=image.device) - down[:, None]) % height
    cols = (torch.arange(width, device=image.device) - right[:, None]) % width
    image = image.gather(1, rows[:, :, None].expand_as(image))
    return image.gather(2, cols[:, None, :].expand_as(image))


def power_law(
    shape: torch.Size, random: torch.Generator, device: torch.device, *, slope: float, blur: float = 0.0
) -> Tensor:
    """Random textures (b, y, x), mean 0, variance 1; see :func:`groundshift.synth.scenes.power_law`."""
    y, x = torch.fft.fftfreq(shape[-2], device=device)[:, None], torch.fft.rfftfreq(shape[-1], device=device)
    square = y * y + x * x
    amplitude = square.clamp(min=1e-12) ** (-slope / 2) * torch.exp(-2 * (math.pi * blur) ** 2 * square)
    amplitude[0, 0] = 0
    texture = torch.fft.irfft2(torch.fft.rfft2(_normal(shape, random, device)) * amplitude, s=tuple(shape[-2:]))
    return texture / texture.flatten(1).std(1)[:, None, None]


def _broad(shape: torch.Size, random: torch.Generator, device: torch.device) -> Tensor:
    """Smooth random patterns between -1 and 1 from the lowest cosines, (b, y, x)."""
    order = torch.arange(_MODES, device=device)
    amplitude = _normal((shape[0], _MODES, _MODES), random, device) / (1 + order[:, None] ** 2 + order**2)
    amplitude[:, 0, 0] = 0
    y, x = (torch.cos(math.pi * (torch.arange(n, device=device) + 0.5)[:, None] / n * order) for n in shape[-2:])
    pattern = y @ amplitude @ x.T
    return pattern / pattern.abs().amax((1, 2), keepdim=True)


def _normal(shape: tuple[int, ...], random: torch.Generator, device: torch.device) -> Tensor:
    return torch.randn(shape, generator=random, device=device)


def _gamma5(size: int, count: int, random: torch.Generator, device: torch.device) -> Tensor:
    """Gamma deviates of shape 5 and scale 1: the sum of five exponential ones."""
    return -torch.rand(5, size, count, generator=random, device=device).clamp(min=1e-7).log().sum(0)


def _wide(values: Tensor) -> Tensor:
    """(b,) as (b, 1, 1)."""
    return values[:, None, None]
