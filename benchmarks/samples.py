"""Scores of the methods on a folder of samples, class by class, next to which the benchmark's can be put."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from groundshift.io.samples import Sample, SampleFolder, images_of
from groundshift.optical.pair import measure_pair
from groundshift.validate.bench import pixel_flow
from groundshift.validate.metrics import Scores, score

METHODS = ("dense", "gauss-newton", "frequency")
COLUMNS = ("epe", "near", "far", "median", "coverage", "variance_x", "variance_y")


def main(folder: Path, methods: tuple[str, ...] = METHODS) -> None:
    samples = SampleFolder(folder)
    print(f"{'method':14}{'pair':16}{'class':12}{'n':>5}" + "".join(f"{name:>12}" for name in COLUMNS))
    for method in methods:
        groups = defaultdict(list)
        for sample in samples:
            if sample.record["kind"] != "earthquake":
                continue
            pair = "two dates" if sample.record["other_date"] else f"one, {sample.record['strength']}"
            result = _scores(sample, method)
            for scale in (sample.record["scale"], "all"):
                groups[pair, scale].append(astuple(result))
        for (pair, scale), rows in sorted(groups.items()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # no pixel of a sample is near its fault
                mean = Scores(*np.nanmean(rows, axis=0))
            values = "".join(f"{getattr(mean, name):12.4f}" for name in COLUMNS)
            print(f"{method:14}{pair:16}{scale:12}{len(rows):5d}{values}", flush=True)


def _scores(sample: Sample, method: str) -> Scores:
    pre, post = images_of(sample)
    found = measure_pair(pre, post, method=method, registration="none", max_displacement=12, executor="serial")
    flow, sigma = pixel_flow(found, pre.shape)
    hidden = ~sample.valid
    flow[:, hidden] = np.nan
    result = score(flow, sample.flow, sample.distance, sigma)
    inner = np.s_[48:-48, 48:-48]
    share = max(sample.valid[inner].mean(), 1e-9)
    values = {field.name: getattr(result, field.name) for field in fields(Scores)}
    return Scores(**{**values, "coverage": result.coverage / share})
