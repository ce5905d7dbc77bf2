"""Writing simulated stacks as SNAP does: BEAM-DIMAP and Zarr."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from scipy import ndimage

from groundshift.io.files import atomic_folder
from groundshift.io.stacks.orbits import Nodes, Orbit, Timing, range_model
from groundshift.io.stacks.parts import flatten
from groundshift.io.stacks.pour import empty_binary, pour
from groundshift.io.stacks.simulated import simulated_orbits
from groundshift.io.stacks.snap import LIGHT, MONTHS, snap_day
from groundshift.model.radar_stack import reference_index

_BANDS = {"elevation": "height", "orthorectifiedLat": "latitude", "orthorectifiedLon": "longitude"}
_TIE_LAYERS = {"latitude": "latitude", "longitude": "longitude", "incident_angle": "incidence"}
_TIES = 5  # tie points to a side
_NODES = 15
_TIME = np.timedelta64(5 * 3600, "s")  # of the first state vector's middle: five in the morning


def write_dimap(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack as BEAM-DIMAP: a folder with `stack.dim` and `stack.data`.

    State vectors are those of round orbits that have the look and the baselines of the stack; the topographic and the
    flat-earth phase that belong to them are put into the images.

    Raises
    ------
    InputError
        If `path` exists.
    """
    days, labels, reference = _labels(stack, marked=True)
    orbits = simulated_orbits(stack)
    with atomic_folder(path) as folder:
        shape = stack.sizes["y"], stack.sizes["x"]
        names = [f"{part}_{label}" for label in labels for part in "iq"] + list(_BANDS)
        files = {
            name: empty_binary(folder / "stack.data" / f"{name}.img", shape, ">f4") for name in names[: -len(_BANDS)]
        }
        nodes = _nodes(stack)
        timing = Timing.fitted(orbits[reference], nodes)
        rough = _unflattened(stack, orbits, reference, nodes, timing)
        pour(rough, [partial(_put, files[f"i_{label}"], files[f"q_{label}"]) for label in labels])
        for name, layer in _BANDS.items():
            kind = ">f4" if layer == "height" else ">f8"
            empty_binary(folder / "stack.data" / f"{name}.img", shape, kind)[:] = stack[layer].values
        for name in names:
            _envi_header(folder / "stack.data" / f"{name}.hdr", shape, 5 if "rectified" in name else 4)
        ties = _tie_points(stack)
        for name, (values, *_) in ties.items():
            file = folder / "stack.data" / "tie_point_grids" / f"{name}.img"
            empty_binary(file, values.shape, ">f4")[:] = values
            _envi_header(file.with_suffix(".hdr"), values.shape, 4)
        _write_dim(folder / "stack.dim", stack, days, names, orbits, reference, timing)
        _name_ties(folder / "stack.dim", ties)


def write_znap(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack as SNAP's Zarr, one product a date, without the topographic phase (as after band mathematics).

    Heights and places go with the reference date, and with the others the phase a metre of height makes (`h2ph`).

    Raises
    ------
    InputError
        If `path` exists.
    """
    days, labels, reference = _labels(stack, marked=False)
    attributes, shape = stack.attrs, (stack.sizes["y"], stack.sizes["x"])
    middle = stack["incidence"].values[shape[0] // 2, shape[1] // 2]
    per_metre = 4 * np.pi / attributes["wavelength"] / (attributes["slant_range"] * np.sin(np.radians(float(middle))))
    with atomic_folder(path) as folder:
        sinks = []
        for number, (day, label) in enumerate(zip(days, labels, strict=True)):
            group = zarr.open_group(folder / f"{str(day).replace('-', '')}-coreg.znap", mode="w", zarr_format=2)
            stamp = f"{str(day).replace('-', '')}T050000_{str(day).replace('-', '')}T050027"
            orbit = (attributes["track"] + 72) % 175 or 175
            name = f"Subset_S1A_IW_SLC__1SDV_{stamp}_{orbit:06d}_000000_0000_Stack_Deb_BandMath"
            group.attrs.update(
                znap_format="0.1", product_name=name, product_type="Derived from (BandMath)",
                product_scene_raster_width=shape[1], product_scene_raster_height=shape[0],
            )  # fmt: skip
            parts = [_band(group, f"{part}_{label}", shape, ">f4") for part in "iq"]
            sinks.append(partial(_put, *parts))
            _ties(group, stack)
            if number == reference:
                polarisation = attributes["polarisation"]
                for layer, name in (("height", "elevation"), ("latitude", "latitude"), ("longitude", "longitude")):
                    kind = ">f4" if layer == "height" else ">f8"
                    _band(group, f"{name}_{polarisation}", shape, kind)[:] = stack[layer].values
            else:
                height_to_phase = per_metre * float(stack["perpendicular_baseline"].values[number])
                _band(group, f"h2ph_{label}", shape, ">f4")[:] = np.full(shape, height_to_phase, np.float32)
        pour(stack, sinks)


def _labels(stack: xr.Dataset, *, marked: bool) -> tuple[np.ndarray, list[str], int]:
    """Days, ends of names of bands, and the number of the reference."""
    days, reference = stack["time"].values.astype("datetime64[D]"), reference_index(stack)
    marks = ["mst_" if k == reference else f"slv{k + 1 - (k > reference)}_" for k in range(len(days))]
    start = f"{stack.attrs['swath']}_{stack.attrs['polarisation']}_"
    return (
        days,
        [start + (mark if marked else "") + snap_day(day) for mark, day in zip(marks, days, strict=True)],
        reference,
    )


def _nodes(stack: xr.Dataset) -> Nodes:
    sizes = stack.sizes["y"], stack.sizes["x"]
    rows, columns = (np.unique(np.linspace(0, size - 1, _NODES).round().astype(int)) for size in sizes)
    names = ("latitude", "longitude", "height")
    return Nodes(
        rows, columns, *(stack[n].values[np.ix_(rows, columns)].astype(np.float64) for n in names), shape=sizes
    )


def _unflattened(stack: xr.Dataset, orbits: list[Orbit], reference: int, nodes: Nodes, timing: Timing) -> xr.Dataset:
    """The stack with the phase of its ranges in the images."""
    model = range_model(orbits[reference], orbits, nodes, timing=timing)
    slc = da.asarray(stack["slc"].data)
    height = da.asarray(stack["height"].data).rechunk(slc.chunks[1:])
    turned = flatten(list(slc), height, model, stack.attrs["wavelength"], back=True)
    return stack.assign(slc=(stack["slc"].dims, da.stack(turned)))


def _put(real: Any, imaginary: Any, rows: slice, columns: slice, values: np.ndarray) -> None:
    real[rows, columns], imaginary[rows, columns] = values.real, values.imag


def _envi_header(path: Path, shape: tuple[int, int], kind: int) -> None:
    path.write_text(
        f"ENVI\ndescription = {{{path.stem}}}\nsamples = {shape[1]}\nlines = {shape[0]}\nbands = 1\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = {kind}\ninterleave = bsq\nbyte order = 1\n"
    )


def _write_dim(
    path: Path,
    stack: xr.Dataset,
    days: np.ndarray,
    names: list[str],
    orbits: list[Orbit],
    reference: int,
    timing: Timing,
) -> None:
    root = ElementTree.Element("Dimap_Document", name=path.name)
    access, bands = (ElementTree.SubElement(root, name) for name in ("Data_Access", "Image_Interpretation"))
    for number, name in enumerate(names):
        file = ElementTree.SubElement(access, "Data_File")
        ElementTree.SubElement(file, "DATA_FILE_PATH", href=f"stack.data/{name}.hdr")
        _say(file, BAND_INDEX=number)
        _say(ElementTree.SubElement(bands, "Spectral_Band_Info"), BAND_INDEX=number, BAND_NAME=name)
    metadata = _element(ElementTree.SubElement(root, "Dataset_Sources"), "metadata")
    main, others = _element(metadata, "Abstracted_Metadata"), _element(metadata, "Slave_Metadata")
    for number, (day, orbit) in enumerate(zip(days, orbits, strict=True)):
        _facts(main if number == reference else _element(others, f"S1A_{snap_day(day)}"), stack, day, orbit, timing)
    pairs = _element(_element(main, "Baselines"), f"Ref_{snap_day(days[reference])}")
    for day, metres in zip(days, stack["perpendicular_baseline"].values, strict=True):
        _attribute(_element(pairs, f"Secondary_{snap_day(day)}"), "Perp Baseline", -float(metres))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _facts(element: ElementTree.Element, stack: xr.Dataset, day: np.datetime64, orbit: Orbit, timing: Timing) -> None:
    attributes = stack.attrs
    middle = day.astype("datetime64[us]") + _TIME
    first = middle + np.timedelta64(round(timing.first_line * 1e6), "us")
    said: Mapping[str, Any] = {
        "PRODUCT": f"simulated_{snap_day(day)}", "PRODUCT_TYPE": "SLC", "MISSION": "SENTINEL-1A",
        "SWATH": attributes["swath"],
        "REL_ORBIT": attributes["track"], "PASS": attributes["orbit"].upper(), "first_line_time": _time(first),
        "mds1_tx_rx_polar": attributes["polarisation"], "range_spacing": repr(timing.pixel),
        "azimuth_spacing": attributes["azimuth_spacing"], "radar_frequency": LIGHT / attributes["wavelength"] / 1e6,
        "slant_range_to_first_pixel": repr(timing.first_pixel), "line_time_interval": repr(timing.line),
        "subset_offset_x": int(stack["x"].values[0]), "subset_offset_y": int(stack["y"].values[0]),
    }  # fmt: skip
    for name, value in said.items():
        _attribute(element, name, value)
    vectors = _element(element, "Orbit_State_Vectors")
    for number, (seconds, position, velocity) in enumerate(
        zip(orbit.seconds, orbit.position, orbit.velocity, strict=True)
    ):
        vector = _element(vectors, f"orbit_vector{number + 1}")
        _attribute(vector, "time", _time(middle + np.timedelta64(round(seconds * 1e6), "us")))
        for kind, values in (("pos", position), ("vel", velocity)):
            for axis, value in zip("xyz", values, strict=True):
                _attribute(vector, f"{axis}_{kind}", repr(float(value)))


def _element(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, "MDElem", name=name)


def _attribute(parent: ElementTree.Element, name: str, value: Any) -> None:
    ElementTree.SubElement(parent, "MDATTR", name=name).text = str(value)


def _say(parent: ElementTree.Element, **values: Any) -> None:
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = str(value)


def _time(moment: np.datetime64) -> str:
    year, month, day = str(moment.astype("datetime64[D]")).split("-")
    return f"{day}-{MONTHS[int(month) - 1].upper()}-{year} {str(moment).split('T')[1]}"


def _band(group: zarr.Group, name: str, shape: tuple[int, int], kind: str) -> zarr.Array:
    array = group.create_array(name, shape=shape, chunks=tuple(min(each, 256) for each in shape), dtype=np.dtype(kind),
                               compressors=None, fill_value=0)  # fmt: skip
    array.attrs.update(znap_format="0.1", _ARRAY_DIMENSIONS=["y", "x"], units="real")
    return array


def _tie_points(stack: xr.Dataset) -> dict[str, tuple[np.ndarray, tuple[float, float]]]:
    """Tie points from corner to corner of a stack, and the lines and pixels from one to the next."""
    shape = stack.sizes["y"], stack.sizes["x"]
    nodes = np.meshgrid(*(np.linspace(0, size - 1, _TIES) for size in shape), indexing="ij")
    step = tuple((size - 1) / (_TIES - 1) for size in shape)
    pixels = np.linspace(0, shape[1] - 1, _TIES) - shape[1] // 2
    ranges = stack.attrs["slant_range"] + pixels * stack.attrs["range_spacing"]
    grids = {
        name: ndimage.map_coordinates(stack[layer].values.astype(np.float64), nodes, order=1)
        for name, layer in _TIE_LAYERS.items()
    }
    grids["slant_range_time"] = np.tile(ranges * 2e9 / LIGHT, (_TIES, 1))
    return {name: (values.astype(np.float32), step) for name, values in grids.items()}


def _name_ties(path: Path, ties: Mapping[str, tuple[np.ndarray, tuple[float, float]]]) -> None:
    """Put tie points into a .dim file."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    grids = ElementTree.SubElement(root, "Tie_Point_Grids")
    for number, (name, (values, step)) in enumerate(ties.items()):
        file = ElementTree.SubElement(root.find("Data_Access"), "Tie_Point_Grid_File")
        href = f"stack.data/tie_point_grids/{name}.hdr"
        ElementTree.SubElement(file, "TIE_POINT_GRID_FILE_PATH", href=href)
        _say(file, TIE_POINT_GRID_INDEX=number)
        _say(
            ElementTree.SubElement(grids, "Tie_Point_Grid_Info"), TIE_POINT_GRID_INDEX=number, TIE_POINT_GRID_NAME=name,
            NCOLS=values.shape[1], NROWS=values.shape[0], OFFSET_X=0.5, OFFSET_Y=0.5, STEP_X=step[1], STEP_Y=step[0],
        )  # fmt: skip
    ElementTree.indent(root)
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def _ties(group: zarr.Group, stack: xr.Dataset) -> None:
    for name, (values, step) in _tie_points(stack).items():
        array = group.create_array(
            name, shape=values.shape, chunks=values.shape, dtype=np.dtype(">f4"), compressors=None
        )
        array[:] = values
        array.attrs.update(_ARRAY_DIMENSIONS=["yt", "xt"], subsampling_y=step[0], subsampling_x=step[1], offset_y=0.5,
                           offset_x=0.5, znap_format="0.1")  # fmt: skip
