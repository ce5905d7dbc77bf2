"""The network that refines a displacement field: one step, applied a few times with the same weights.

It is not asked to find out what is known. Products of gradients and of the difference of the two images, averaged in
Gaussian windows of three sizes, give the least-squares correction of each window and how well it is determined (Lucas &
Kanade 1981). A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) at full resolution decides at each pixel which
of them to believe, adds what they miss, and says how far off the result may be.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from groundshift.train.recipe import ModelOptions

DERIVATIVE = (-1 / 60, 3 / 20, -3 / 4, 0, 3 / 4, -3 / 20, 1 / 60)  # of sixth order
_RIDGE = 0.02  # of the least squares, in units of the squared gradient of an image of variance 1
_STEP = 2.0  # pixels: about the largest correction a window may ask for
_LEAST_SCALE, _LARGEST_SCALE = -6.0, 2.0  # of the narrow distribution: logarithms, pixels


class Refiner(nn.Module):
    """One step: images, weight and flow in, an answer out (see :mod:`groundshift.optical.refinement`)."""

    def __init__(self, options: ModelOptions | None = None):
        super().__init__()
        self.options = options or ModelOptions()
        windows = len(self.options.windows)
        self.windows = nn.ModuleList(Blur(each, 6) for each in self.options.windows)
        self.around = Blur(8.0, 2)
        self.register_buffer("derivative", torch.tensor(DERIVATIVE, dtype=torch.float32).view(1, 1, 1, -1))
        self.body = UNet(6 + 6 * windows, 1 + windows + 2 + 5, self.options)
        with torch.no_grad():  # before training: little more than nothing
            self.body.head.weight.zero_()
            self.body.head.bias.copy_(torch.tensor([3.0] + [0.0] * (windows - 1) + [1.0, 0, 0, -2, -2, 0.5, 0.5, -2]))

    def forward(self, first: Tensor, second: Tensor, weight: Tensor, flow: Tensor) -> Tensor:
        """First image, warped second, weight (b, 1, y, x) and flow (b, 2, y, x) in; (b, 7, y, x) out."""
        middle = (first + second) / 2
        padded = functional.pad(middle, (3, 3, 3, 3), mode="replicate")
        gx = functional.conv2d(padded[..., 3:-3, :], self.derivative)
        gy = functional.conv2d(padded[..., :, 3:-3], self.derivative.transpose(2, 3))
        residual = first - second
        products = weight * torch.cat([gx * gx, gx * gy, gy * gy, gx * residual, gy * residual, residual**2], 1)

        seen, corrections = [first, second, residual * weight, weight], []
        for blur in self.windows:
            total = blur(weight.expand(-1, 6, -1, -1)) + 1e-3
            xx, xy, yy, px, py, left = (blur(products) / total).unbind(1)  # (b, y, x) each
            xx, yy = xx + _RIDGE, yy + _RIDGE
            determinant = xx * yy - xy * xy
            step = torch.stack([yy * px - xy * py, xx * py - xy * px], 1) / determinant.unsqueeze(1)
            step = _STEP * torch.tanh(step / _STEP)
            corrections.append(step)
            certain = torch.stack([torch.log(xx), torch.log(yy), xy / torch.sqrt(xx * yy), torch.log(left + 1e-3)], 1)
            seen += [step, certain]
        seen.append(flow - self.around(flow))

        found = self.body(torch.cat(seen, 1))
        choices = 1 + len(corrections)
        share = torch.softmax(found[:, :choices], 1)  # (b, choices, y, x): no correction, or that of one of the windows
        step = sum(share[:, k : k + 1] * each for k, each in enumerate(corrections, 1))
        step = step + found[:, choices : choices + 2]
        scales = found[:, choices + 2 :]
        narrow = torch.clamp(scales[:, 0:2], _LEAST_SCALE, _LARGEST_SCALE)
        wide = narrow + 0.5 + functional.softplus(scales[:, 2:4])
        return torch.cat([flow + step, narrow, wide, scales[:, 4:5]], 1)


class Blur(nn.Module):
    """Gaussian mean of each channel, with the border pixels repeated."""

    def __init__(self, sigma: float, channels: int):
        super().__init__()
        self.radius = int(3 * sigma + 0.5)
        at = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        self.register_buffer("kernel", (kernel / kernel.sum()).view(1, 1, 1, -1).repeat(channels, 1, 1, 1))

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
        self.enter = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_convolutions(each, depth) for each in widths)
        self.coarser = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in itertools.pairwise(widths))
        self.finer = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(_convolutions(each, depth) for each in widths[:-1])
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Sides must be multiples of 2 ** (levels - 1)."""
        x = self.enter(x)
        kept = []
        for level, down in enumerate(self.down):
            x = x + down(x)
            if level < len(self.coarser):
                kept.append(x)
                x = self.coarser[level](x)
        for level in reversed(range(len(self.up))):
            x = self.finer[level](x)
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + kept[level]
            x = x + self.up[level](x)
        return self.head(x)


def _convolutions(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
    return nn.Sequential(*layers)
