"""Run one benchmark, or those that need no data.

    python -m benchmarks                             bias and speed, small: a few minutes
    python -m benchmarks bias OUT                    `gauss-newton` against the Cramér–Rao bound: table and plot
    python -m benchmarks windows                     windows a second of `frequency`
    python -m benchmarks scale OUT METHOD SIDE...    time and memory of whole pairs, SIDE² pixels: table and plot
    python -m benchmarks synth [IMAGES]              training samples a second, of procedural scenes or real images
    python -m benchmarks samples FOLDER [METHOD...]  errors of the methods on training samples, class by class
    python -m benchmarks change FOLDER OUT [METHOD...]  errors as the ground changes, and as quality rises
    python -m benchmarks dates DATA OUT [METHOD...]  errors by the time between the images: tables and plot
    python -m benchmarks bands FOLDER DATA [METHOD...]  errors with one band and with two
    python -m benchmarks sites IMAGES TRACES [SAMPLES]  errors and sigmas of `network`, site by site and band by band
    python -m benchmarks training OUT                how the network got better from run to run: picture
    python -m benchmarks basic OUT [SEED...]         errors of `groundshift basic` on simulated cities and towns
    python -m benchmarks phase-linking [WORD...]     phase linking against the Cramér–Rao bound, and its speed
    python -m benchmarks invert OUT [SEED...]        air in networks of interferograms, off and on
    python -m benchmarks invert-sigmas OUT [SEED...] sigmas of inverted interferograms, against truth
    python -m benchmarks ortho FOLDER [POINTS]       time and memory of Ortho on a million points
    python -m benchmarks ortho-strip FOLDER [SEED]   Ortho of a simulated strip of a continent, against its truth
    python -m benchmarks fuse [OUT]                  simulated earthquakes in three dimensions: tables, pictures
    python -m benchmarks gallery yahtse|kaiserberg|farmland|submetre DATA OUT [METHOD]

Others have options of their own: `python -m benchmarks.store`, `benchmarks.explorer`, `benchmarks.egms`,
`benchmarks.assets`, `benchmarks.calibrate` and `benchmarks.screenshots`. `groundshift bench optical FOLDER`
scores a method on pairs with known truth.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from benchmarks import (
    bands,
    basic,
    bias,
    change,
    dates,
    fuse,
    gallery,
    invert,
    invert_sigmas,
    ortho,
    ortho_strip,
    phase_linking,
    samples,
    scale,
    sites,
    synth,
    training,
    windows,
)


def main(arguments: list[str]) -> None:
    match arguments:
        case []:
            out = Path("benchmark-output")
            bias.main(out)
            windows.main()
            scale.main(out, "frequency", [1024, 2048])
            scale.main(out, "dense", [512, 1024])
        case ["bias", out]:
            bias.main(Path(out))
        case ["windows"]:
            windows.main()
        case ["scale", out, method, *sides] if sides:
            scale.main(Path(out), method, [int(side) for side in sides])
        case ["synth"]:
            synth.main(None)
        case ["synth", images]:
            synth.main(Path(images))
        case ["samples", folder, *methods]:
            samples.main(Path(folder), tuple(methods) or samples.METHODS)
        case ["training", out]:
            training.main(Path(out))
        case ["basic", out, *seeds]:
            basic.main(Path(out), [int(seed) for seed in seeds] or [1, 2])
        case ["phase-linking", *words]:
            phase_linking.main(words)
        case ["invert", out, *seeds]:
            invert.main(Path(out), [int(seed) for seed in seeds] or [1, 2])
        case ["invert-sigmas", out, *seeds]:
            invert_sigmas.main(Path(out), [int(seed) for seed in seeds] or [1, 2])
        case ["change", folder, out, *methods]:
            change.main(Path(folder), Path(out), tuple(methods) or change.METHODS)
        case ["dates", data, out, *methods]:
            dates.main(Path(data), Path(out), tuple(methods) or dates.METHODS)
        case ["bands", folder, data, *methods]:
            bands.main(Path(folder), Path(data), tuple(methods) or bands.METHODS)
        case ["sites", images, traces, *count] if len(count) < 2:
            sites.main(Path(images), Path(traces), *map(int, count))
        case ["ortho", folder, *points] if len(points) < 2:
            ortho.main(Path(folder), *map(int, points))
        case ["ortho-strip", folder, *seed] if len(seed) < 2:
            ortho_strip.main(Path(folder), *map(int, seed))
        case ["fuse", *out] if len(out) < 2:
            fuse.main(*map(Path, out))
        case ["gallery", page, data, out, *method] if page in gallery.PAGES and len(method) < 2:
            logging.basicConfig(level=logging.INFO)
            print(gallery.PAGES[page](Path(data), Path(out), *method))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
