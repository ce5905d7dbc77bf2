"""Satellite images in, ground displacement with its uncertainty out.

The public functions, one a step; everything else is imported from its own module. They are loaded when they are
first asked for, so that the command line answers at once.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundshift.optical.pair import measure_pair
    from groundshift.optical.profile import offset_curve, swath_profile
    from groundshift.products.fields import recompute_fields

__version__ = version("groundshift")
__all__ = ["__version__", "measure_pair", "offset_curve", "recompute_fields", "swath_profile"]

_HOMES = {
    "measure_pair": "groundshift.optical.pair",
    "swath_profile": "groundshift.optical.profile",
    "offset_curve": "groundshift.optical.profile",
    "recompute_fields": "groundshift.products.fields",
    "model": "groundshift.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'groundshift' has no attribute {name!r}; it has {', '.join(__all__)}")
    home = importlib.import_module(_HOMES[name])
    return home if home.__name__.endswith(f".{name}") else getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
