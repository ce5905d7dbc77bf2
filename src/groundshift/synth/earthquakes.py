"""Random earthquakes: systems of faults with rough traces and slip that tapers; lengths and slips are pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from groundshift.errors import InputError
from groundshift.synth.faults import Fault, fault_motion
from groundshift.synth.motions import GroundMotion, self_affine

SCALES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"very_small": (0.02, 0.1), "small": (0.1, 0.5), "large": (0.5, 2.0), "very_large": (2.0, 10.0)}
)
"""Lowest and highest peak displacement of the four scale classes, pixels; peaks are drawn log-uniformly.

The classes are those of FaultDeform (doi:10.57745/G02ZXZ), which scales each rupture by four factors, 0 to 3 in its
files, from below 0.1 pixels to several. Here a rupture is drawn for one class; the limits are our own, and adjoin.
"""

Mechanism = Literal["strike-slip", "normal", "reverse", "oblique"]
System = Literal["single", "step-over", "branch", "several"]

DIPS: Mapping[Mechanism, tuple[float, float]] = MappingProxyType(
    {"strike-slip": (70.0, 90.0), "normal": (45.0, 70.0), "reverse": (20.0, 50.0), "oblique": (45.0, 85.0)}
)
"""Degrees from which dips are drawn, uniformly."""

_RAKE_SPREAD = 15.0  # degrees, standard deviation between events of a mechanism


def _rising(between: tuple[float, float]) -> tuple[float, float]:
    if not between[0] <= between[1]:
        raise ValueError(f"a range of {between} falls; give the lowest first")
    return between


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
Weight = Annotated[float, Field(ge=0)]


class FaultOptions(BaseModel):
    """What random faults are like. Ranges are lowest and highest; widths are those of the image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mechanisms: dict[Mechanism, Weight] = Field(
        {"strike-slip": 0.5, "normal": 0.2, "reverse": 0.15, "oblique": 0.15}, description="weight of each mechanism"
    )
    systems: dict[System, Weight] = Field(
        {"single": 0.5, "step-over": 0.2, "branch": 0.15, "several": 0.15}, description="weight of each kind of system"
    )
    length: Range = Field((0.2, 3.0), description="of the rupture, image widths; log-uniform")
    width: Range = Field((0.2, 1.0), description="down dip, share of the length; log-uniform")
    crossing: float = Field(0.85, ge=0, le=1, description="share of ruptures that cross the image")
    away: float = Field(0.5, ge=0, description="farthest of the others from the border, share of their length")
    buried: float = Field(0.2, ge=0, le=1, description="share of faults that do not break the surface")
    depth: Range = Field((0.01, 0.2), description="of the upper edge of those, image widths; log-uniform")
    roughness: Range = Field((0.002, 0.012), description="rms of the trace, share of its length; log-uniform")
    hurst: float = Field(0.8, gt=0, lt=1, description="Hurst exponent of the trace")
    bends: int = Field(2, ge=0, description="most bends of a trace")
    bend: Range = Field((5.0, 30.0), description="degrees of a bend")
    gap: Range = Field((0.02, 0.12), description="between the strands of a step-over, share of the length; log-uniform")
    overlap: Range = Field((-0.05, 0.2), description="of these strands, share of the length")
    splay: Range = Field((15.0, 40.0), description="degrees between a fault and its branch")
    slip_roughness: Range = Field((0.1, 0.5), description="standard deviation of slip, share of its smooth part")
    rake_variation: Range = Field((0.0, 15.0), description="standard deviation of rake along strike, degrees")
    deficit: Range = Field((0.0, 0.5), description="share of slip that is lacking at the surface")
    distributed: float = Field(0.3, ge=0, le=1, description="share of surface ruptures with sheared ground beside them")
    zone: Range = Field((1.0, 30.0), description="width of that ground, pixels; log-uniform")
    diffuse: float = Field(0.5, ge=0, le=1, description="share of those where the shear is continuous, not in steps")
    off_fault: Range = Field((0.2, 0.9), description="share of the slip at the surface that is spread over it")
    real: float = Field(0.5, ge=0, le=1, description="share of traces taken from those that are given")
    segment: float = Field(8.0, gt=0, description="length of a straight piece of trace within the image, pixels")


def random_faults(
    random: np.random.Generator,
    shape: tuple[int, int],
    peak: float,
    options: FaultOptions = FaultOptions(),  # noqa: B008
    *,
    traces: Sequence[np.ndarray] = (),
) -> GroundMotion:
    """A random earthquake.

    Traces are self-affine and bent, or those of real faults; slip tapers to the ends and to depth, with a k^-2 random
    part (Herrero & Bernard 1994). Where ground beside a fault is sheared, strands beside it take a share of its slip,
    down to 1.5 times the width of that zone; they break the surface, or stay just below it. A branch slips beside its
    fault, which loses nothing.

    Parameters
    ----------
    random
        Generator; the same state gives the same earthquake.
    shape
        Rows and columns of the image.
    peak
        Largest displacement at the centre of a pixel, see :data:`SCALES`.
    traces
        Shapes of real faults, float (n, 2), east and north in any unit that is the same for both. They are scaled to
        the length drawn, turned and mirrored at random, and get half of the roughness.
    """
    faults, record = random_system(random, shape, options, traces=traces)
    return fault_motion(faults, shape, peak=peak, record=record)


def random_peak(random: np.random.Generator, scale: str) -> float:
    """A peak displacement of one of :data:`SCALES`, log-uniform, pixels."""
    return _log_uniform(random, SCALES[scale])


def random_system(
    random: np.random.Generator,
    shape: tuple[int, int],
    options: FaultOptions = FaultOptions(),  # noqa: B008
    *,
    traces: Sequence[np.ndarray] = (),
) -> tuple[list[Fault], dict[str, Any]]:
    """Faults of a random earthquake that slip by about 1, and its record; arguments as for :func:`random_faults`."""
    system = _choice(random, options.systems)
    events = [_Event.draw(random, shape, options)]
    lines = [_line(random, events[0].length, options, traces)]
    faults: list[Fault] = []
    strands: list[tuple[_Line, _Event, float, bool]] = []  # line, event, largest slip, whether it is a branch
    if system == "step-over":
        gap = _log_uniform(random, options.gap) * events[0].length * random.choice([-1, 1])
        share = (1 + random.uniform(*options.overlap)) / 2
        one, other = (_line(random, share * events[0].length, options, traces) for _ in range(2))
        lines = [one, other.at(other.points + np.array([(1 - share) * events[0].length, gap]))]
    elif system == "branch":
        lines.append(_branch(random, lines[0].points, options))
    for k, line in enumerate(_placed(random, lines, shape, options)):
        split = system == "branch" and k == 1
        strands.append((line, events[0], random.uniform(0.3, 0.7) if split else 1.0, split))
    if system == "several":
        for _ in range(random.integers(1, 4)):
            event = _Event.draw(random, shape, options, longest=0.8 * events[0].length)
            events.append(event)
            line = _line(random, event.length, options, traces)
            strands.append((_placed(random, [line], shape, options)[0], event, random.uniform(0.3, 1.0), False))
    segment = options.segment * np.sqrt(len(strands))
    made = []
    for line, event, slip, split in strands:
        nodes = _nodes(line.points, segment, shape)
        more, each = _faults(random, nodes, event, slip, split, shape, options)
        faults += more
        made.append({**each, "trace": line.trace})
    return faults, {"system": system, "faults": made}


class _Line(NamedTuple):
    """A finely sampled trace."""

    points: np.ndarray  # float64 (n, 2): along and across; rows and columns once it has its place
    trace: int | None  # number of the given trace that it has the shape of

    def at(self, points: np.ndarray) -> _Line:
        """The same elsewhere."""
        return _Line(points, self.trace)


@dataclass(frozen=True)
class _Event:
    """What the strands of one rupture share."""

    mechanism: Mechanism
    dip: float
    rake: float
    length: float
    width: float
    top: float
    taper: float  # where along the length slip is largest; below 0 an ellipse
    roughness: float  # of slip
    wobble: float  # of rake, degrees
    deficit: float

    @staticmethod
    def draw(
        random: np.random.Generator, shape: tuple[int, int], options: FaultOptions, longest: float = np.inf
    ) -> _Event:
        mechanism = _choice(random, options.mechanisms)
        rake = {
            "strike-slip": random.choice([0.0, 180.0]), "normal": -90.0, "reverse": 90.0,
            "oblique": random.uniform(-180, 180),
        }[mechanism]  # fmt: skip
        length = min(_log_uniform(random, options.length) * shape[1], longest)
        buried = random.random() < options.buried
        depth = _log_uniform(random, options.depth) * shape[1]
        return _Event(
            mechanism, float(random.uniform(*DIPS[mechanism])), float(rake + random.normal(0, _RAKE_SPREAD)), length,
            _log_uniform(random, options.width) * length, depth if buried else 0.0,
            float(random.choice([-1.0, 0.5, random.uniform(0.15, 0.85)])),
            float(random.uniform(*options.slip_roughness)), float(random.uniform(*options.rake_variation)),
            float(random.uniform(*options.deficit)),
        )  # fmt: skip

    def along(self, t: np.ndarray) -> np.ndarray:
        """Smooth part of slip from end to end, 0 to 1."""
        if self.taper < 0:
            return np.sqrt(np.clip(1 - (2 * t - 1) ** 2, 0, 1))
        return np.minimum(t / self.taper, (1 - t) / (1 - self.taper))


def _faults(
    random: np.random.Generator, trace: np.ndarray, event: _Event, slip: float, split: bool, shape: tuple[int, int],
    options: FaultOptions,
) -> tuple[list[Fault], dict[str, Any]]:  # fmt: skip
    """A fault below a trace, and the strands beside it; its record."""
    steps = np.hypot(*np.diff(trace, axis=0).T)
    length = float(steps.sum())
    t = (np.cumsum(steps) - steps / 2) / length
    height = event.width * min(1.0, length / event.length) * float(np.sin(np.radians(event.dip)))
    first = min(max(steps.min(), 0.08 * height), height / 4)
    zone = 0.0
    if event.top == 0 and random.random() < options.distributed:
        zone = _log_uniform(random, options.zone)
        first = min(max(first, 1.5 * zone), height / 2)
    depths = event.top + np.concatenate([[0.0], np.geomspace(first, height, 4)])
    down = ((depths[1:] + depths[:-1]) / 2 - event.top) / height
    down[0] = 0.0
    smooth = np.outer((1 - event.deficit * np.exp(-down / 0.15)) * np.sqrt(1 - down**2),
                      event.along(0.5 + t / 2 if split else t))  # fmt: skip
    amount = slip * smooth * np.maximum(1 + event.roughness * _noise(random, down, t), 0)
    wobble = event.wobble * np.interp(t, np.linspace(0, 1, 64), self_affine(random, 64, 1.0))
    rake = np.radians(event.rake + wobble)
    slips = np.stack([amount * np.cos(rake), amount * np.sin(rake)])
    share = float(random.uniform(*options.off_fault)) if zone else 0.0
    diffuse = bool(zone and random.random() < options.diffuse)
    beside = _beside(random, trace, slips[:, 0] * share, zone, float(depths[1]), event.dip, diffuse) if zone else []
    slips[:, 0] *= 1 - share
    chord = trace[-1] - trace[0]
    record = {
        "mechanism": event.mechanism, "dip": event.dip, "rake": event.rake, "length": length, "top": event.top,
        "strike": float(np.degrees(np.arctan2(chord[1], -chord[0])) % 360), "bottom": float(depths[-1]),
        "middle": [float(each) for each in trace.mean(axis=0)], "taper": event.taper, "slip_roughness": event.roughness,
        "rake_variation": event.wobble, "deficit": event.deficit, "zone": zone, "off_fault": share, "diffuse": diffuse,
        "branch": split, "strands": len(beside) + 1,
    }  # fmt: skip
    return [Fault(trace, depths, event.dip, *slips), *beside], record


def _beside(
    random: np.random.Generator, trace: np.ndarray, slips: np.ndarray, zone: float, depth: float, dip: float,
    diffuse: bool,
) -> list[Fault]:  # fmt: skip
    """Strands across a zone that share slips (2, n), on half as many columns where none can meet.

    Diffuse ones end as far below the surface as they are apart, which smooths the steps between them.
    """
    count = int(np.clip(np.rint(zone / 5) + 2, 3, 6))
    top = 0.7 * zone / count if diffuse else 0.0
    shares = random.dirichlet(np.full(count, 4.0))
    offsets = (np.linspace(-0.5, 0.5, count) + random.uniform(-0.3, 0.3, count) / count) * zone
    chord = (trace[-1] - trace[0]) / np.hypot(*(trace[-1] - trace[0]))
    right = np.array([chord[1], -chord[0]])
    starts = np.arange(0, slips.shape[1], 2 if diffuse or zone > 8 else 1)
    few = np.add.reduceat(slips, starts, axis=1) / np.diff(np.append(starts, slips.shape[1]))
    nodes = trace[np.append(starts, len(trace) - 1)]
    return [
        Fault(nodes + offset * right, np.array([top, depth]), dip, *(share * few)[:, None])
        for offset, share in zip(offsets, shares, strict=True)
    ]


def _line(random: np.random.Generator, length: float, options: FaultOptions, traces: Sequence[np.ndarray]) -> _Line:
    """A trace along from 0 to about `length`."""
    count = int(np.clip(length, 128, 2048))
    rough = _log_uniform(random, options.roughness) * length * self_affine(random, count, options.hurst)
    if len(traces) and random.random() < options.real:
        chosen = int(random.integers(len(traces)))
        line = _real(random, np.asarray(traces[chosen], float), length, count)
        return _Line(line + np.column_stack([np.zeros(count), rough / 2]), chosen)
    t = np.linspace(0, 1, count)
    angle = np.zeros(count)
    for _ in range(random.integers(options.bends + 1)):
        turn = np.radians(random.uniform(*options.bend)) * random.choice([-1, 1])
        angle += turn / 2 * np.tanh((t - random.uniform(0.1, 0.9)) / random.uniform(0.01, 0.1))
    bent = np.cumsum(np.column_stack([np.cos(angle), np.sin(angle)]), axis=0) * length / count
    return _Line(bent + np.column_stack([np.zeros(count), rough]), None)


def _real(random: np.random.Generator, trace: np.ndarray, length: float, count: int) -> np.ndarray:
    """A given trace, or half of one that closes, at equal steps from (0, 0) to (`length`, 0)."""
    steps = np.append(0, np.cumsum(np.hypot(*np.diff(trace, axis=0).T))) if trace.ndim == 2 else np.zeros(1)
    if trace.shape[1:] != (2,) or not steps[-1] > 0:
        raise InputError(f"a trace {trace.shape} has no length; give (n, 2): east, north of two vertices or more")
    closes = np.hypot(*(trace[-1] - trace[0])) < 0.2 * steps[-1]
    at = np.linspace(0, steps[-1] * (0.5 if closes else 1.0), count)
    line = np.column_stack([np.interp(at, steps, each) for each in trace.T]) - trace[0]
    chord = line[-1] * length / (line[-1] @ line[-1])
    return line @ np.column_stack([chord, random.choice([-1, 1]) * np.array([-chord[1], chord[0]])])


def _branch(random: np.random.Generator, line: np.ndarray, options: FaultOptions) -> _Line:
    """A line that leaves another from its middle part."""
    start = line[int(random.uniform(0.3, 0.7) * len(line))]
    length = random.uniform(0.15, 0.4) * np.hypot(*(line[-1] - line[0]))
    own = _line(random, length, options, ())
    ahead = line[-1] - line[0]
    turn = np.arctan2(ahead[1], ahead[0]) + np.radians(random.uniform(*options.splay)) * random.choice([-1, 1])
    away = own.points - own.points[0]
    return own.at(start + away @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _placed(
    random: np.random.Generator, lines: Sequence[_Line], shape: tuple[int, int], options: FaultOptions
) -> list[_Line]:
    """Lines turned and moved together, to rows and columns, so that they cross the image, or miss it."""
    strike = random.uniform(0, 2 * np.pi)
    axes = np.array([[-np.cos(strike), np.sin(strike)], [np.sin(strike), np.cos(strike)]])  # along, to its right
    turned = [line.points @ axes for line in lines]
    chosen = turned[random.integers(len(lines))]
    shift = random.uniform(0.1, 0.9, 2) * shape - chosen[int(random.uniform(0.1, 0.9) * len(chosen))]
    if random.random() >= options.crossing:
        length = float(np.hypot(*(turned[0][-1] - turned[0][0])))
        aim = max(random.uniform(0, options.away) * length, 1.0)
        points, side = np.concatenate(turned)[::4] + shift, axes[1] * random.choice([-1, 1])
        steps = np.linspace(0, 2 * (sum(shape) + length), 400)
        shift = shift + side * next(far for far in steps if _outside(points + far * side, shape).min() >= aim)
    return [line.at(points + shift) for line, points in zip(lines, turned, strict=True)]


def _nodes(line: np.ndarray, segment: float, shape: tuple[int, int]) -> np.ndarray:
    """Vertices of a trace, `segment` apart in the image and farther outside of it, 9 or more."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    density = 1 / (segment + 0.35 * _outside((line[1:] + line[:-1]) / 2, shape))
    count = np.append(0, np.cumsum(steps * density))
    at = np.linspace(0, count[-1], max(int(np.ceil(count[-1])), 8) + 1)
    return np.column_stack([np.interp(at, count, each) for each in line.T])


def _outside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distance of points (n, 2) from the image, 0 within."""
    return np.hypot(*np.maximum(np.maximum(-points, points - (np.array(shape) - 1)), 0).T)


def _noise(random: np.random.Generator, down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """A k^-2 random field of standard deviation 1 on a fault, at places down and along it from 0 to 1."""
    k = np.hypot(np.fft.fftfreq(32, 1 / 32)[:, None], np.fft.rfftfreq(128, 1 / 128))
    k[0, 0] = np.inf
    field = np.fft.irfft2((random.normal(size=k.shape) + 1j * random.normal(size=k.shape)) / k**2)[:16, :64]
    field = (field - field.mean()) / field.std()
    return field[np.ix_((down * 15).astype(int), np.rint(along * 63).astype(int))]


def _log_uniform(random: np.random.Generator, between: Range) -> float:
    return float(np.exp(random.uniform(*np.log(between))))


def _choice(random: np.random.Generator, weights: Mapping[Any, float]) -> Any:
    shares = np.array(list(weights.values()), float)
    return list(weights)[random.choice(len(shares), p=shares / shares.sum())]
