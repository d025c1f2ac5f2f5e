"""Drives the built modelvigil: profiles and backtests, and what they say of each period."""

import csv
import json
import math
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

START, DAY = 1767225600, 86400  # 2026-01-01, in Unix seconds


@dataclass
class Stream:
    """A model version: readings by feature, a day for each period; a name that begins
    with `category:` is a category's. A reference, where there is one, is the first day."""

    periods: list
    reference: dict = None

    def days(self):
        return ([self.reference] if self.reference else []) + self.periods


@dataclass
class Point:
    """What a rule found of one period."""

    readings: int
    value: float
    threshold: float
    state: str  # healthy, breaching, unknown or missing


@dataclass
class Product:
    binary: Path
    folder: Path  # where it puts its files

    def profile(self, data):
        """The profile of training data, as the program writes it."""
        write(self.folder / "train.csv", list(data), [rows(data)])
        self.run("profile", "train.csv", "-o", "train.profile.json")
        return json.loads((self.folder / "train.profile.json").read_text())

    def judge(self, rules, streams, profile=None):
        """Lets rules judge each stream; of each, its points by the rule's name in order of
        time, those of the reference's own day left out."""
        if profile:
            (self.folder / "train.profile.json").write_text(json.dumps(profile))
        policy = {"model_name": "m", "rules": rules, "cooldown": "1h"}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        first, day = {}, 0
        with open(self.folder / "events.csv", "w", encoding="utf-8") as events:
            names = list(streams[0].days()[0])
            events.write(",".join(["timestamp", "model_version", *names]) + "\n")
            for number, stream in enumerate(streams):
                first[f"v{number}"] = day + bool(stream.reference)
                for data in stream.days():
                    write_day(events, f"v{number}", START + day * DAY, rows(data))
                    day += 1
        self.run("backtest", "policy.json", "--events", "events.csv", "--datapoints", "points.csv", "-o", "json")
        return self.points(first, len(streams))

    def points(self, first, streams):
        found = [defaultdict(list) for _ in range(streams)]
        with open(self.folder / "points.csv", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                day = epoch_days(row["start"]) - START // DAY
                if day < first[row["model_version"]]:
                    continue
                found[int(row["model_version"][1:])][row["rule"]].append(
                    Point(int(row["readings"]), number_of(row["value"]), number_of(row["threshold"]), row["state"]))
        return found

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"modelvigil {' '.join(arguments)}: {done.stderr}")
        return done.stdout


def rule(name, statistic, of, reference=None, **fields):
    """A rule over a day that warns, so that it judges whatever it has found before."""
    reference = reference or {"from": "first", "samples": 5000}
    if isinstance(of, str):
        kind = "category" if of.startswith("category:") else "metric"
        of = {kind: of.removeprefix("category:")}
    return {"name": name, "period": "24h", "severity": "warning", **of,
            "drift": {"statistic": statistic, "reference": reference}, **fields}


PROFILE = {"from": "profile", "profile": "train.profile.json"}


def rows(data):
    """The columns of a day as texts, row by row; a missing reading is an empty cell."""
    columns = [[text(value) for value in column] for column in data.values()]
    return list(zip(*columns))


def text(value):
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(float(value))


def write(file, names, days):
    with open(file, "w", encoding="utf-8") as events:
        events.write(",".join(names) + "\n")
        for day in days:
            events.writelines(",".join(row) + "\n" for row in day)


def write_day(events, version, start, day):
    """Spreads the rows over the day."""
    for i, row in enumerate(day):
        events.write(f"{start + i * DAY // len(day)},{version},{','.join(row)}\n")


def epoch_days(timestamp):
    return int(datetime.fromisoformat(timestamp).timestamp()) // DAY


def number_of(cell):
    return float(cell) if cell else math.nan
