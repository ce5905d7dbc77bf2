"""The ground under a simulated stack, on a map: terrain, regions, parcels, buildings. Both orbits see the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from groundshift.kernels.gaussian import smoothed
from groundshift.synth.radar.geometry import extent, in_any_view
from groundshift.synth.radar.hashing import generator_of, key_of, uniform
from groundshift.synth.radar.options import COVERS, REGIONS, GroundOptions, StackOptions
from groundshift.synth.scenes import power_law

_NODES = 20.0  # m between nodes of terrain and regions
_MARGIN = 400.0  # m
_LOT = 60.0  # m: side of the square that a building has to itself
_PARCEL = 130.0, 190.0  # m
_LAST = 1 << 30  # number of a building that else would have that of a lot a thousand kilometres away


class Buildings(NamedTuple):
    """The building at each place."""

    number: np.ndarray  # int32: of its own; 0 is no building
    height: np.ndarray  # float64: of the roof above the ground, m; 0 where there is none
    across: np.ndarray  # float64: −1 at its west side to 1 at its east side


@dataclass(frozen=True)
class Ground:
    """What is where. All places are metres to the east and north of the middle, arrays of one shape."""

    options: GroundOptions
    key: np.uint64
    corner: tuple[float, float]  # of the first node, which is in the south-west
    heights: np.ndarray  # float32 (north, east) on nodes, m
    errors: np.ndarray  # float32 on nodes: true minus known height, m
    regions: np.ndarray  # uint8 on nodes

    def height(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """The known height above the ellipsoid, metres, float32."""
        return self._between(self.heights, east, north)

    def error(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """True minus known height of the ground, metres, float32."""
        return self._between(self.errors, east, north)

    def region(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """Codes of the regions, uint8."""
        at = [np.rint(each).astype(np.intp) for each in self._nodes(east, north)]
        rows, columns = (np.clip(each, 0, size - 1) for each, size in zip(at, self.regions.shape, strict=True))
        return self.regions[rows, columns]

    def cover(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """Codes of the covers, uint8: parcels in rural regions."""
        region = self.region(east, north)
        weights = np.array([self.options.parcels.get(name, 0.0) for name in COVERS[2:5]])
        edges = np.cumsum(weights)[:-1] / max(weights.sum(), 1e-12)
        turned = 0.8 * east + 0.6 * north, 0.8 * north - 0.6 * east
        drawn = uniform(self.key, *(np.floor(each / side) for each, side in zip(turned, _PARCEL, strict=True)), 7)
        parcel = 2 + np.searchsorted(edges, drawn, side="right")
        whole = np.array([COVERS.index(name) if name != "rural" else 0 for name in REGIONS], np.uint8)
        return np.where(region == REGIONS.index("rural"), parcel, whole[region]).astype(np.uint8)

    def slope(self, east: float, north: float) -> np.ndarray:
        """Rise of the ground to the east and to the north, m/m, float64 (2,)."""
        away = 3 * _NODES
        places = np.array([east + away, east - away, east, east]), np.array([north, north, north + away, north - away])
        right, left, ahead, back = self.height(*places).astype(float)
        return np.array([right - left, ahead - back]) / (2 * away)

    def building(self, east: np.ndarray, north: np.ndarray, lean: tuple[float, float] = (0.0, 0.0)) -> Buildings:
        """The buildings that stand at places, or whose roofs are seen there.

        Parameters
        ----------
        lean
            Metres to the east and north from where a point is seen to where it is, for each metre of its height.
        """
        out = Buildings(np.zeros(east.shape, np.int32), np.zeros(east.shape), np.zeros(east.shape))
        reach = self.options.building_limit * np.hypot(*lean)
        for share in np.linspace(0, 1, 1 + int(np.ceil(reach / (_LOT / 3)))):
            far = share * self.options.building_limit
            lots = [np.floor((place + far * each) / _LOT) for place, each in zip((east, north), lean, strict=True)]
            self._stand(lots, east, north, lean, out)
        return out

    def _stand(self, lots, east, north, lean, out: Buildings) -> None:
        """Enter the buildings of these lots where they are seen and no other is."""
        draw = [uniform(self.key, *lots, number) for number in range(6)]
        height = self.options.building_height * (0.4 - 0.6 * np.log(1 - draw[0]))
        height = np.minimum(height, self.options.building_limit)
        half = [_LOT * (0.18 + 0.22 * each) for each in draw[1:3]]
        middle = [(lot + 0.5 + 0.15 * (each - 0.5)) * _LOT for lot, each in zip(lots, draw[3:5], strict=True)]
        built = (draw[5] < 0.8) & (self.region(*middle) == REGIONS.index("urban"))
        way = [
            (place + height * each - centre) / side
            for place, each, centre, side in zip((east, north), lean, middle, half, strict=True)
        ]
        new = built & (np.abs(way[0]) < 1) & (np.abs(way[1]) < 1) & (out.number == 0)
        number = ((lots[0].astype(np.int64) & 0x7FFF) << 16 | (lots[1].astype(np.int64) & 0xFFFF)) + 1
        number[number > np.iinfo(np.int32).max] = _LAST  # the lot to the south-west of the middle
        out.number[new], out.height[new], out.across[new] = number[new], height[new], way[0][new]

    def _nodes(self, east, north):
        return (north - self.corner[1]) / _NODES, (east - self.corner[0]) / _NODES

    def _between(self, nodes, east, north):
        return ndimage.map_coordinates(nodes, self._nodes(east, north), order=1, mode="nearest")


def make_ground(options: StackOptions) -> Ground:
    """Draw the ground of both orbits; only the seed, the size and the options of the ground decide."""
    random = generator_of(options.seed, "ground")
    half = extent(options, _MARGIN)
    shape = tuple(int(np.ceil(2 * each / _NODES)) + 1 for each in (half[1], half[0]))
    wide = max(2.0, min(shape) / 24)
    hills = power_law(shape, random, slope=2.2, blur=2.0)
    town, ridge = (smoothed(power_law(shape, random, slope=1.6, blur=2.0), wide) for _ in range(2))
    error = options.ground.dem_error * power_law(shape, random, slope=1.2, blur=1.0)
    east, north = (_NODES * np.arange(count) - side for count, side in zip(shape[::-1], half, strict=True))
    in_view = in_any_view(options, east, north[:, None])
    regions, level = _regions(options.ground, in_view, hills, town - hills / 4, ridge + hills)
    heights = options.ground.height + options.ground.relief * np.maximum(hills, level)
    return Ground(
        options.ground, key_of(options.seed, "ground"), (-half[0], -half[1]), heights.astype(np.float32),
        np.where(regions == REGIONS.index("water"), 0, error).astype(np.float32), regions,
    )  # fmt: skip


def _regions(
    options: GroundOptions, in_view: np.ndarray, low: np.ndarray, town: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, float]:
    """Codes of regions, in their shares where in view, and the level of the water, which lies lowest."""
    weights = np.array([options.shares.get(name, 0.0) for name in REGIONS])
    shares = weights / max(weights.sum(), 1e-12)
    codes = np.full(low.shape, REGIONS.index("rural"), np.uint8)
    for name, score in (("water", -low), ("urban", town), ("bare", ridge)):
        left = codes == REGIONS.index("rural")
        best = np.sort(score[left & in_view])[::-1]
        count = min(round(shares[REGIONS.index(name)] * in_view.sum()), best.size)
        if count:
            codes[left & (score >= best[count - 1])] = REGIONS.index(name)
    water = low[codes == REGIONS.index("water")]
    return codes, float(water.max()) if water.size else float(low.min())
