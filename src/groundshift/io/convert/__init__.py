"""Point sets and rasters from one format to another: EGMS, GeoParquet, GeoPackage, GeoJSON, CSV, NetCDF, GeoTIFF."""

from groundshift.io.convert.convert import FORMATS, Format, convert, format_of, read_parts, write_parts

__all__ = ["FORMATS", "Format", "convert", "format_of", "read_parts", "write_parts"]
