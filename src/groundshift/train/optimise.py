"""The optimisers of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from groundshift.train.model import Refiner
from groundshift.train.recipe import Recipe


class KernelMuon(torch.optim.Muon):
    """Muon for kernels of convolutions, each taken as the matrix of what it makes (rows) from what it sees.

    Steps are as long as those of AdamW at the same rate.

    Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon; Liu et al. (2025), arXiv:2502.16982, eq. 4.
    """

    def __init__(self, kernels: Iterable[nn.Parameter], *, rate: float, decay: float):
        self.kernels = list(kernels)
        matrices = [
            nn.Parameter(_matrix(each.data, like=each)) for each in self.kernels
        ]  # in the memory of the kernels
        super().__init__(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step with the gradients of the kernels."""
        for kernel, matrix in zip(self.kernels, self.param_groups[0]["params"], strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad, like=kernel).contiguous()
        return super().step(closure)


def _matrix(kernel: Tensor, *, like: Tensor) -> Tensor:
    """(out, in, y, x) as (out, in · y · x), in the order in which the memory of another has it."""
    return kernel.flatten(1) if like.is_contiguous() else kernel.permute(0, 2, 3, 1).flatten(1)


class Optimiser:
    """What changes the weights of a network: AdamW for all, or Muon for what lies between its first and last layer.

    Parameters
    ----------
    model
        Contiguous or in the memory format ``channels_last``.
    """

    def __init__(self, model: Refiner, recipe: Recipe):
        kernels = [] if recipe.optimiser == "adamw" else _inner(model)
        inner = {id(each) for each in kernels}
        rest = [each for each in model.parameters() if id(each) not in inner]
        self._model, self._recipe = model, recipe
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=recipe.rate, weight_decay=recipe.decay_weights)
        ]
        if kernels:
            self._parts.append(KernelMuon(kernels, rate=recipe.rate, decay=recipe.decay_weights))

    def step(self, value: Tensor, *, rate: float) -> None:
        """Make this smaller, once, with a learning rate; gradients are no longer than 1."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
        self._model.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for part in self._parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """What it remembers."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Remember what another of the same recipe did."""
        for part, each in zip(self._parts, state, strict=True):
            part.load_state_dict(each)


def _inner(model: Refiner) -> list[nn.Parameter]:
    """The kernels of all layers but the first and the last."""
    ends = {id(each) for end in (model.body.enter, model.body.head) for each in end.parameters()}
    return [each for each in model.parameters() if each.ndim == 4 and id(each) not in ends]
