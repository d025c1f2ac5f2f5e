"""Measures `modelvigil backtest` beside pandas and polars: user time and peak memory of
one rule, an hourly mean held against a threshold, over two files that it makes first."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = {"5 M rows of 8 columns": (5_000_000, 8), "1 M rows of 42 columns": (1_000_000, 42)}
POLICY = '{"model_name": "m", "rules": [{"name": "r", "metric": "accuracy", "stat": "mean", "below": 0.49, "period": "1h"}]}'
PANDAS = """
d = pd.read_csv("events.csv", usecols=["timestamp", "accuracy"], parse_dates=["timestamp"])
d = d.set_index("timestamp").accuracy.resample("1h").mean()
"""
POLARS = """
d = pl.scan_csv("events.csv", try_parse_dates=True).select("timestamp", "accuracy").sort("timestamp")
d = d.group_by_dynamic("timestamp", every="1h").agg(pl.col("accuracy").mean()).collect()
"""
TOLD = """
when = pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S").set_sorted()
d = pl.scan_csv("events.csv").select(when, "accuracy")
d = d.group_by_dynamic("timestamp", every="1h").agg(pl.col("accuracy").mean()).collect()
"""
END = 'print(int((d["accuracy"] < 0.49).sum()) if hasattr(d, "columns") else int((d < 0.49).sum()))'


def make(folder, rows, columns):
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(1)
    data = {"timestamp": pd.date_range("2026-01-01", periods=rows, freq="s").strftime("%Y-%m-%d %H:%M:%S"), "model_name": "m", "model_version": "v1"}
    for i in range(columns - 3):
        data["accuracy" if i == 0 else f"feature{i}"] = np.round(random.random(rows), 6)
    pd.DataFrame(data).to_csv(folder / "events.csv", index=False)
    (folder / "policy.yaml").write_text(POLICY)


def apart(work):
    """What a function returns that a process of its own calls: this one stays small, for a
    program's peak of memory begins with that of whoever starts it."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(work()).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(read, 100))


def measure(command, folder):
    """User seconds and the peak of memory in GiB of a command."""
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime, used.ru_maxrss / 2**20


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--binary", required=True, type=Path)
    options = options.parse_args()
    programs = {
        "modelvigil": [options.binary.resolve(), "backtest", "policy.yaml", "--events", "events.csv"],
        "pandas": [sys.executable, "-c", "import pandas as pd" + PANDAS + END],
        "polars": [sys.executable, "-c", "import polars as pl" + POLARS + END],
        "polars, told the form and order of times": [sys.executable, "-c", "import polars as pl" + TOLD + END],
    }
    for size, (rows, columns) in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            apart(lambda: make(Path(folder), rows, columns))
            for name, command in programs.items():
                runs = [apart(lambda: measure(command, folder)) for _ in range(3)]
                print(f"{size}: {name:42} {min(user for user, _ in runs):5.2f} s of user time, {max(peak for _, peak in runs):.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
