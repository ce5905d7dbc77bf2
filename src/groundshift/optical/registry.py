"""The methods by name, and which one `auto` means."""

from __future__ import annotations

from groundshift.errors import ConfigurationError
from groundshift.optical.config import PairConfig
from groundshift.optical.dense import DENSE
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.gauss_newton import GAUSS_NEWTON
from groundshift.optical.methods import Method
from groundshift.optical.network import NETWORK

METHODS: dict[str, Method] = {method.name: method for method in (NETWORK, DENSE, GAUSS_NEWTON, FREQUENCY)}

_WINDOW_STEP = 8  # pixels
_TILE = 1024  # pixels


def resolved(config: PairConfig) -> PairConfig:
    """The configuration with its method, step and tile named.

    `auto` is the most accurate method on the benchmark of pairs months and years apart for what was asked: `network`,
    unless a step of more than one pixel asks for windows; then `frequency`.

    Raises
    ------
    ConfigurationError
        If there is no method of that name, or if it has tiles of its own and others are asked for.
    """
    name = config.method
    if name == "auto":
        name = NETWORK.name if config.step in (None, 1) else FREQUENCY.name
    if name not in METHODS:
        raise ConfigurationError(f"there is no method {name!r}; choose auto, {', '.join(METHODS)}")
    method = METHODS[name]
    if method.block and config.tile not in (None, method.block):
        raise ConfigurationError(
            f"tiles of {config.tile} pixels were asked for, but {name!r} always has tiles of {method.block}, so that "
            "the map does not depend on them; leave `tile` out"
        )
    step = config.step or (1 if method.dense else _WINDOW_STEP)
    return config.model_copy(update={"method": name, "step": step, "tile": config.tile or method.block or _TILE})
