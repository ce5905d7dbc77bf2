"""From relative points to absolute ones, tied to satellite navigation (GNSS) and to each other: *Calibrated*."""

from groundshift.products.calibrate.apply import apply_surface
from groundshift.products.calibrate.config import CalibrateConfig
from groundshift.products.calibrate.run import (
    PICTURE_NAME,
    REPORT_NAME,
    CalibrateResult,
    calibrate_points,
)

__all__ = ["PICTURE_NAME", "REPORT_NAME", "CalibrateConfig", "CalibrateResult", "apply_surface", "calibrate_points"]
