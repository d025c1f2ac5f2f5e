# /// script
# requires-python = ">=3.11"
# dependencies = ["river==0.26.1"]
# ///
"""Makes the vectors that adwin.go is held against: where river detects a change.

    pip install river==0.26.1
    MODELVIGIL_DATA=<folder of elec.csv.gz> python make.py

generated.json holds series of our own with river's detections. elec2.json holds
river's detections in series of ELEC2 without the series, as the project ships no
copy of them. Both are deterministic: another run changes no byte.
"""

import csv
import gzip
import json
import math
import os
import pathlib
import random

from river import drift

HERE = pathlib.Path(__file__).parent
DELTAS = ["0.999", "0.3", "0.05", "0.002", "1e-06"]


def detect(values, delta):
    """Indices at which river detects, and its window at the end.

    River empties its window at the datapoint after a detection, so a window that
    ends with one is left out."""
    adwin = drift.ADWIN(delta=float(delta), clock=1, max_buckets=5, min_window_length=5, grace_period=10)
    indices = []
    for i, value in enumerate(values):
        adwin.update(value)
        if adwin.drift_detected:
            indices.append(i)
    found = {"delta": float(delta), "indices": indices}
    if not adwin.drift_detected:
        found["end"] = {"width": int(adwin.width), "total": adwin.total, "variance": adwin.variance}
    return found


def generated():
    rng = random.Random(20070426)

    def accuracy_drops(i):  # and recovers
        return rng.gauss(0.92 if i < 700 or i >= 1100 else 0.80, 0.04)

    def latency_rises(i):  # milliseconds, skewed to the right
        return rng.lognormvariate(math.log(120 if i < 800 else 150), 0.35)

    def drift_creeps(i):  # over 800 datapoints
        return rng.gauss(0.05 + 0.25 * min(max((i - 400) / 800, 0), 1), 0.05)

    def stationary(i):
        return rng.gauss(0.5, 0.1)

    def heavy_noise(i):  # no mean to speak of but for the shift
        return (0 if i < 750 else 3) + 0.5 * math.tan(math.pi * (rng.random() - 0.5) * 0.98)

    def tiny(i):
        return rng.gauss(3e-9 if i < 750 else 6e-9, 1e-10)

    def huge(i):
        return rng.gauss(1e12 if i < 750 else 1.01e12, 2e9)

    def errors(i):  # Bernoulli
        return float(rng.random() < (0.06 if i < 600 else 0.18 if i < 1000 else 0.03))

    def constant_then_step(i):  # without variance, both ways
        return 0.75 if i < 500 or i >= 1000 else 0.25

    def bursts(i):  # faster than the window can follow
        return rng.gauss(i // 60 % 3, 0.3)

    def blocks(i):  # steps as soon, and sides as short, as a detection can have
        return 1000 * (i // 6 % 2 if i < 120 else i // 101 % 2)

    makers = [accuracy_drops, latency_rises, drift_creeps, stationary, heavy_noise, tiny, huge, errors, constant_then_step, bursts, blocks]
    for make in makers:
        values = [float(f"{make(i):.4g}") for i in range(1500)]
        yield {"name": make.__name__, "values": values, "detections": [detect(values, d) for d in DELTAS]}


def elec2(path):
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    for column in ["nswprice", "nswdemand", "transfer"]:
        half_hours = [float(row[column]) for row in rows]
        days = []
        for first in range(0, len(half_hours) - 47, 48):
            total = 0.0  # not sum(), which newer Pythons compensate
            for value in half_hours[first : first + 48]:
                total += value
            days.append(total / 48)
        for each, values in [("half-hour", half_hours), ("day", days)]:
            yield {"column": column, "each": each, "detections": [detect(values, d) for d in ["0.002", "1e-06"]]}


def write(name, items):
    lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in items)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    write("generated.json", generated())
    write("elec2.json", elec2(pathlib.Path(os.environ["MODELVIGIL_DATA"]) / "elec.csv.gz"))
