"""Files of the European Ground Motion Service (EGMS), levels L2a, L2b and L3: read and written without loss."""

from groundshift.io.egms.archive import holds_table
from groundshift.io.egms.names import EgmsName, name_of, parse_name, tile_of, zip_name
from groundshift.io.egms.read import read_batches, read_egms
from groundshift.io.egms.write import write_egms, write_zip_of

__all__ = [
    "EgmsName",
    "holds_table",
    "name_of",
    "parse_name",
    "read_batches",
    "read_egms",
    "tile_of",
    "write_egms",
    "write_zip_of",
    "zip_name",
]
