"""From points of several tracks to cells that move east and up: *Ortho*."""

from groundshift.products.ortho.run import MAP_NAME, OrthoResult, make_ortho, ortho_tables, velocity_field
from groundshift.products.ortho.tile import OrthoConfig

__all__ = ["MAP_NAME", "OrthoConfig", "OrthoResult", "make_ortho", "ortho_tables", "velocity_field"]
