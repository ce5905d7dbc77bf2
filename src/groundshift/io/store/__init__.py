"""The store: a GeoParquet data set of point sets, from one burst to a continent.

```
store/
  manifest.json                                   what is there; replaced as a whole, in one step
  attributes/level=L2b/tile=E45N17/SET.KEY.parquet  one row a point, Hilbert order, GeoParquet
  series/level=L2b/tile=E45N17/SET.KEY.parquet      the series of the same rows
  overview/level=L2b/tile=E45N17/SET.KEY.parquet    counts and means in cells, for maps at small scales
```

A *set* is what one product holds (level, component, track, frame), a *part* is what of it lies in one 100 km tile.
:func:`write_parts` and :func:`commit` write, :class:`PointStore` reads, :func:`append_dates` and
:func:`replace_tile` change.
"""

from groundshift.io.store.change import append_dates, replace_tile
from groundshift.io.store.manifest import Manifest, Part, SetRecord, read_manifest
from groundshift.io.store.read import PointStore
from groundshift.io.store.sources import Source, open_sources, without_copies
from groundshift.io.store.write import commit, write_parts

__all__ = [
    "Manifest",
    "Part",
    "PointStore",
    "SetRecord",
    "Source",
    "append_dates",
    "commit",
    "open_sources",
    "read_manifest",
    "replace_tile",
    "without_copies",
    "write_parts",
]
