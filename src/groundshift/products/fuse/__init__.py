"""Displacement in three dimensions from whatever measured it: optical maps, radar, stations, levelling."""

from groundshift.products.fuse.channels import Interval
from groundshift.products.fuse.config import FuseConfig
from groundshift.products.fuse.run import MAP_NAME, PICTURE_NAME, fuse
from groundshift.products.fuse.series.config import SeriesConfig
from groundshift.products.fuse.series.run import SERIES_NAME, VELOCITY_NAME, fuse_series
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stations import Levelling, ModelField, Stations

__all__ = [
    "MAP_NAME",
    "PICTURE_NAME",
    "SERIES_NAME",
    "VELOCITY_NAME",
    "FuseConfig",
    "Interval",
    "Levelling",
    "ModelField",
    "OpticalMap",
    "RadarPoints",
    "SeriesConfig",
    "Stations",
    "fuse",
    "fuse_series",
]
