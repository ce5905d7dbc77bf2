"""What the network is trained to make small."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def negative_log_likelihood(answer: Tensor, flow: Tensor) -> Tensor:
    """Of the true flow (b, 2, y, x) under the mixture of Laplace distributions that an answer (b, 7, y, x) tells.

    Both components are narrow or both wide: near a fault, what went wrong for one went wrong for the other.

    Returns
    -------
    (b, y, x), nats.

    Source: Wang, Lipson & Deng (2024), SEA-RAFT, arXiv:2405.14793, §3.2; there one of the scales is fixed.
    """
    error = (answer[:, :2] - flow).abs()
    narrow, wide, share = answer[:, 2:4], answer[:, 4:6], answer[:, 6]
    log_narrow = -(error * torch.exp(-narrow) + narrow + math.log(2)).sum(1)
    log_wide = -(error * torch.exp(-wide) + wide + math.log(2)).sum(1)
    return -torch.logaddexp(functional.logsigmoid(-share) + log_narrow, functional.logsigmoid(share) + log_wide)


def loss(
    answers: list[Tensor], flow: Tensor, weight: Tensor, *, decay: float, absolute: float, likelihood: float = 1.0
) -> Tensor:
    """Sum over the steps, the later the heavier: absolute error and likelihood with their weights, mean over pixels.

    The likelihood teaches the scales alone, the absolute error the flow. If the likelihood taught the flow too, quiet
    ground far from faults, where scales are small, would be all that counts.

    Parameters
    ----------
    weight
        Of each pixel, (b, y, x); 0 where the truth is not known.

    Returns
    -------
    A scalar. The weight of step k of n is decay^(n − k), as in RAFT (Teed & Deng 2020, arXiv:2003.12039).
    """
    count = weight.sum().clamp(min=1)
    total = flow.new_zeros(())
    for k, answer in enumerate(reversed(answers)):
        error = (answer[:, :2] - flow).abs().sum(1)
        scales_alone = torch.cat([answer[:, :2].detach(), answer[:, 2:]], 1)
        per_pixel = absolute * error + likelihood * negative_log_likelihood(scales_alone, flow)
        total = total + decay**k * (weight * per_pixel).sum() / count
    return total
