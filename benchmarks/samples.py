"""Scores of the methods on a folder of samples, class by class, next to which the benchmark's can be put."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.table import heading, line
from groundshift.io.samples import Sample, SampleFolder, images_of
from groundshift.optical.pair import measure_pair
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import Scores, mean, score

METHODS = ("dense", "gauss-newton", "frequency")


def main(folder: Path, methods: tuple[str, ...] = METHODS) -> None:
    samples = SampleFolder(folder)
    print(heading(f"{'method':14}{'pair':16}{'class':12}{'n':>5}"))
    for method in methods:
        groups = defaultdict(list)
        for sample in samples:
            if sample.record["kind"] != "earthquake":
                continue
            pair = "two dates" if sample.record["other_date"] else f"one, {sample.record['strength']}"
            result = _scores(sample, method)
            for scale in (sample.record["scale"], "all"):
                groups[pair, scale].append(result)
        for (pair, scale), rows in sorted(groups.items()):
            print(line(f"{method:14}{pair:16}{scale:12}{len(rows):5d}", mean(rows)), flush=True)


def _scores(sample: Sample, method: str) -> Scores:
    pre, post = images_of(sample)
    found = measure_pair(pre, post, method=method, registration="none", max_displacement=12, executor="serial")
    flow, sigma = pixel_flow(found, pre.shape)
    hidden = ~sample.valid
    flow[:, hidden] = np.nan
    result = score(flow, sample.flow, sample.distance, sigma)
    inner = np.s_[48:-48, 48:-48]
    share = max(sample.valid[inner].mean(), 1e-9)
    return replace(result, coverage=result.coverage / share)
