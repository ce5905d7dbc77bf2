"""Satellite images in, ground displacement with its uncertainty out.

The public functions, one a step; everything else is imported from its own module. They are loaded when they are
first asked for, so that the command line answers at once.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from groundshift.kernels.cache import find_place

if TYPE_CHECKING:
    from groundshift.explore.ingestion import ingest
    from groundshift.explore.server import create_app
    from groundshift.geodesy.velocity_model import fit_velocity_model
    from groundshift.insar.basic import make_basic
    from groundshift.insar.invert import invert_interferograms
    from groundshift.io.stacks import open_any_stack
    from groundshift.optical.compare import compare_maps
    from groundshift.optical.pair import measure_pair
    from groundshift.optical.profile import offset_curve, swath_profile
    from groundshift.products.assets import assess_assets
    from groundshift.products.calibrate import calibrate_points
    from groundshift.products.fuse import fuse
    from groundshift.products.ortho import make_ortho

__version__ = version("groundshift")
__all__ = [
    "__version__",
    "assess_assets",
    "calibrate_points",
    "compare_maps",
    "create_app",
    "fit_velocity_model",
    "fuse",
    "ingest",
    "invert_interferograms",
    "make_basic",
    "make_ortho",
    "measure_pair",
    "offset_curve",
    "open_any_stack",
    "swath_profile",
]

_HOMES = {
    "make_basic": "groundshift.insar.basic",
    "open_any_stack": "groundshift.io.stacks",
    "invert_interferograms": "groundshift.insar.invert",
    "measure_pair": "groundshift.optical.pair",
    "swath_profile": "groundshift.optical.profile",
    "compare_maps": "groundshift.optical.compare",
    "offset_curve": "groundshift.optical.profile",
    "fit_velocity_model": "groundshift.geodesy.velocity_model",
    "calibrate_points": "groundshift.products.calibrate",
    "make_ortho": "groundshift.products.ortho",
    "fuse": "groundshift.products.fuse",
    "assess_assets": "groundshift.products.assets",
    "ingest": "groundshift.explore.ingestion",
    "create_app": "groundshift.explore.server",
    "model": "groundshift.model",
}


find_place()  # before anything is compiled


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'groundshift' has no attribute {name!r}; it has {', '.join(__all__)}")
    home = importlib.import_module(_HOMES[name])
    return getattr(home, name, home)


def __dir__() -> list[str]:
    return sorted(__all__)
