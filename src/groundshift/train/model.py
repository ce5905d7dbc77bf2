"""The network that refines a displacement field: one step, applied a few times with the same weights.

It is not asked to find out what is known. Products of gradients and of the difference of the two images, averaged in
Gaussian windows of three sizes, give the least-squares correction of each window and how well it is determined (Lucas &
Kanade 1981). A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) at full resolution decides at each pixel which
of them to believe, adds what they miss, and says how far off the result may be.

Beside a fault every window sees both sides. There each pixel also tries the displacement of places around it, as in
PatchMatch (Barnes et al. 2009, doi:10.1145/1531326.1531330): the one under which the images agree best in a narrow
window is one more correction to choose.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from groundshift.errors import ConfigurationError
from groundshift.kernels.network_inputs import (
    DERIVATIVE,
    FIT,
    LARGEST_MISMATCH,
    LARGEST_SCALE,
    LEAST_MISMATCH,
    LEAST_SCALE,
    LEAST_WEIGHT,
    LONGEST_STEP,
    RIDGE,
    SMOOTH,
    places,
)
from groundshift.train.recipe import ModelOptions

_NEW_CHOICE = -1.0  # logit of a choice that a network did not have when it was trained


class Refiner(nn.Module):
    """One step: images, weight and flow in, an answer out (see :mod:`groundshift.optical.refinement`)."""

    def __init__(self, options: ModelOptions | None = None):
        super().__init__()
        self.options = options or ModelOptions()
        windows = len(self.options.windows)
        self.windows = nn.ModuleList(Blur(each, 7) for each in self.options.windows)
        self.around = Blur(SMOOTH, 2)
        self.fit_one, self.fit = Blur(FIT, 2), Blur(FIT, 8)
        others = 1 if self.options.reaches else 0
        self.body = UNet(6 + 6 * windows + 4 * others + self.options.told, 1 + windows + others + 2 + 5, self.options)
        with torch.no_grad():  # before training: little more than nothing
            self.body.head.weight.zero_()
            first = torch.zeros(1 + windows + others)
            first[0] = 3.0
            if windows:
                first[windows] = 1.0
            self.body.head.bias.copy_(torch.cat([first, torch.tensor([0, 0, -2, -2, 0.5, 0.5, -2])]))

    def forward(
        self, first: Tensor, second: Tensor, weight: Tensor, flow: Tensor, told: Tensor | None = None
    ) -> Tensor:
        """First image, warped second, weight (b, 1, y, x), flow (b, 2, y, x) and what is told in; (b, 7, y, x) out."""
        return self.answer(self.seen(first, second, weight, flow, told), flow)

    def answer(self, seen: Tensor, flow: Tensor, *, precision: torch.dtype = torch.float32) -> Tensor:
        """What :meth:`seen` and the flow make; the convolutions in this precision."""
        with torch.autocast(seen.device.type, precision, enabled=precision != torch.float32):
            found = self.body(seen).float()
        corrections = [seen[:, at : at + 2] for at in range(4, seen.shape[1] - 2 - self.options.told, 6)]
        choices = 1 + len(corrections)
        share = torch.softmax(found[:, :choices], 1)  # (b, choices, y, x): no correction, or that of one of the windows
        step = sum(share[:, k : k + 1] * each for k, each in enumerate(corrections, 1))
        step = step + found[:, choices : choices + 2]
        scales = found[:, choices + 2 :]
        narrow = torch.clamp(scales[:, 0:2], LEAST_SCALE, LARGEST_SCALE)
        wide = narrow + 0.5 + functional.softplus(scales[:, 2:4])
        return torch.cat([flow + step, narrow, wide, scales[:, 4:5]], 1)

    def seen(self, first: Tensor, second: Tensor, weight: Tensor, flow: Tensor, told: Tensor | None = None) -> Tensor:
        """What the convolutions are given, (b, c, y, x); see :mod:`groundshift.kernels.network_inputs`."""
        middle = (first + second) / 2
        gx, gy = _derivative(middle), _derivative(middle.transpose(2, 3)).transpose(2, 3)
        residual = first - second
        products = weight * torch.cat([gx * gx, gx * gy, gy * gy, gx * residual, gy * residual, residual**2], 1)

        seen, step = [first, second, residual * weight, weight], torch.zeros_like(flow)
        for blur in self.windows:
            sums = blur(torch.cat([products, weight], 1))
            xx, xy, yy, px, py, left = (sums[:, :6] / (sums[:, 6:] + LEAST_WEIGHT)).unbind(1)  # (b, y, x) each
            xx, yy = xx + RIDGE, yy + RIDGE
            determinant = xx * yy - xy * xy
            step = torch.stack([yy * px - xy * py, xx * py - xy * px], 1) / determinant.unsqueeze(1)
            step = LONGEST_STEP * torch.tanh(step / LONGEST_STEP)
            left = torch.log(left + LEAST_MISMATCH)
            seen += [step, torch.stack([torch.log(xx), torch.log(yy), xy / torch.sqrt(xx * yy), left], 1)]
        if self.options.reaches:
            step, now, then = self.from_around(flow, step, gx, gy, residual, weight)
            seen += [step, torch.log(now + LEAST_MISMATCH), torch.log(then + LEAST_MISMATCH)]
        return torch.cat([*seen, flow - self.around(flow), *([] if told is None else [told])], 1)

    @torch.no_grad()
    def adopt(self, other: Refiner) -> None:
        """Take the weights of a network that is like this one, or lacks coarse levels, blocks, or is given less.

        What is new in levels adds nothing at first, so the answer stays what it was; a new choice begins small.

        Raises
        ------
        ConfigurationError
            If the two are otherwise unlike.
        """
        mine, theirs = self.options, other.options
        levels, looks, knows = len(theirs.widths), theirs.reaches == mine.reaches, theirs.told == mine.told
        lacks = {
            "widths": mine.widths[:levels], "reaches": mine.reaches if looks else (), "deeper": theirs.deeper,
            "told": mine.told if knows else 0,
        }  # fmt: skip
        lost = any(has > wanted for has, wanted in itertools.zip_longest(theirs.deeper, mine.deeper, fillvalue=0))
        if lost or mine.model_copy(update=lacks) != theirs:
            raise ConfigurationError(
                f"a network of {mine} cannot begin with the weights of one of {theirs}; "
                "only `reaches`, `deeper`, `told` and widths after the last may be new"
            )
        other_layers = (() if looks and knows else ("enter.w",)) + (() if looks else ("head.",))
        kept = {name: each for name, each in other.body.state_dict().items() if not name.startswith(other_layers)}
        self.body.load_state_dict(kept, strict=False)
        for level in range(levels - 1, len(mine.widths) - 1):
            _silence(self.body.finer[level], self.body.up[level][-1])
        for blocks in (self.body.more_down, self.body.more_up):
            for has, level in zip((*theirs.deeper, *[0] * len(blocks)), blocks, strict=False):
                _silence(*(block[-1] for block in level[has:]))
        if not (looks and knows):
            self._see_more(other)
        if not looks:
            self._choose_more(other)

    def _see_more(self, other: Refiner) -> None:
        """First layer of a network that is given less; what is new adds nothing at first."""
        mine, theirs = self.body.enter.weight, other.body.enter.weight
        shared = 4 + 6 * len(self.options.windows)
        if self.options.reaches == other.options.reaches:
            shared += 4 * bool(self.options.reaches)
        rest = theirs.shape[1] - 2 - other.options.told  # where what the field departs from its mean begins
        at = mine.shape[1] - 2 - self.options.told
        mine.zero_()
        mine[:, :shared] = theirs[:, :shared]
        mine[:, at : at + theirs.shape[1] - rest] = theirs[:, rest:]

    def _choose_more(self, other: Refiner) -> None:
        """Last layer of a network that does not look around; the new choice is rare at first."""
        mine, theirs, choices = self.body.head, other.body.head, 1 + len(self.options.windows)
        for new, old in ((mine.weight, theirs.weight), (mine.bias, theirs.bias)):
            new[:choices], new[choices + 1 :] = old[:choices], old[choices:]
        mine.weight[choices], mine.bias[choices] = 0, _NEW_CHOICE

    @torch.no_grad()
    def from_around(
        self, flow: Tensor, correction: Tensor, gx: Tensor, gy: Tensor, residual: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The step to the corrected displacement of a place around under which the images agree best.

        Returns
        -------
        The step (b, 2, y, x), and the squared difference of the images without it and with it, to first order
        (b, 1, y, x).
        """
        height, width = flow.shape[-2:]
        sums = self.fit_one(torch.cat([weight * torch.clamp(residual**2, max=LARGEST_MISMATCH), weight], 1))
        total = sums[:, 1:] + LEAST_WEIGHT
        now = sums[:, :1] / total
        best, least = torch.zeros_like(flow), now
        for reach in self.options.reaches:
            padded = functional.pad(flow + correction, (reach, reach, reach, reach), mode="replicate")
            around = [
                padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width] - flow
                for dy, dx in places(reach)
            ]
            dx, dy = (torch.cat([each[:, c : c + 1] for each in around], 1) for c in (0, 1))
            left = torch.clamp((residual - gx * dx - gy * dy) ** 2, max=LARGEST_MISMATCH)
            found = self.fit(weight * left) / total
            smallest = found.amin(1, keepdim=True)
            chosen = (found == smallest).to(flow.dtype)
            chosen = chosen / chosen.sum(1, keepdim=True)
            step = torch.cat([(chosen * dx).sum(1, keepdim=True), (chosen * dy).sum(1, keepdim=True)], 1)
            better = smallest < least
            best, least = torch.where(better, step, best), torch.minimum(least, smallest)
        return best, now, least


def _derivative(image: Tensor) -> Tensor:
    """Along x, (b, 1, y, x) a pixel; as differences, which run faster than a convolution of one channel."""
    width = image.shape[-1]
    padded = functional.pad(image, (3, 3, 0, 0), mode="replicate")
    return sum(
        factor * (padded[..., 3 + k : 3 + k + width] - padded[..., 3 - k : 3 - k + width])
        for k, factor in enumerate(DERIVATIVE, 1)
    )


class Blur(nn.Module):
    """Gaussian mean of each channel, with the border pixels repeated."""

    def __init__(self, sigma: float, channels: int):
        super().__init__()
        self.radius = int(3 * sigma + 0.5)
        at = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        self.register_buffer("kernel", (kernel / kernel.sum()).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        radius, channels = self.radius, x.shape[1]
        x = functional.pad(x, (radius, radius, radius, radius), mode="replicate")
        x = functional.conv2d(x, self.kernel, groups=channels)
        return functional.conv2d(x, self.kernel.transpose(2, 3), groups=channels)


class UNet(nn.Module):
    """Convolutions at full resolution and at halves of it, each level added to the one above."""

    def __init__(self, inputs: int, outputs: int, options: ModelOptions):
        super().__init__()
        widths, depth = options.widths, options.depth
        more = options.deeper + (0,) * (len(widths) - len(options.deeper))
        self.enter = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_convolutions(each, depth) for each in widths)
        self.coarser = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in itertools.pairwise(widths))
        self.finer = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(_convolutions(each, depth) for each in widths[:-1])
        self.more_down = nn.ModuleList(_blocks(*each, depth) for each in zip(more, widths, strict=True))
        self.more_up = nn.ModuleList(_blocks(*each, depth) for each in zip(more[:-1], widths[:-1], strict=True))
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Sides must be multiples of 2 ** (levels - 1)."""
        x = self.enter(x)
        kept = []
        for level, down in enumerate(self.down):
            for block in (down, *self.more_down[level]):
                x = x + block(x)
            if level < len(self.coarser):
                kept.append(x)
                x = self.coarser[level](x)
        for level in reversed(range(len(self.up))):
            x = self.finer[level](x)
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + kept[level]
            for block in (self.up[level], *self.more_up[level]):
                x = x + block(x)
        return self.head(x)


def _blocks(count: int, width: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(_convolutions(width, depth) for _ in range(count))


def _silence(*layers: nn.Module) -> None:
    """Let layers answer zero."""
    for layer in layers:
        for each in layer.parameters():
            each.zero_()


def _convolutions(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
    return nn.Sequential(*layers)
