"""The checks of a validation: stations, another product, tracks, density, noise, inventories, optical maps."""

from groundshift.validate.checks.density import check_density
from groundshift.validate.checks.inventory import check_inventory
from groundshift.validate.checks.noise import check_noise
from groundshift.validate.checks.optical import check_field_offsets, check_offsets, check_stable_ground
from groundshift.validate.checks.product import check_levelling, check_product
from groundshift.validate.checks.series import check_series
from groundshift.validate.checks.stations import check_stations, hold_out
from groundshift.validate.checks.tracks import check_tracks

__all__ = [
    "check_density",
    "check_field_offsets",
    "check_inventory",
    "check_levelling",
    "check_noise",
    "check_offsets",
    "check_product",
    "check_series",
    "check_stable_ground",
    "check_stations",
    "check_tracks",
    "hold_out",
]
