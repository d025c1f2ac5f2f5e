"""Holds `modelvigil backtest` to what pandas and river say of the same recordings.

Random recordings with gaps and random policies; each datapoint's value, threshold and
state, and each rule's verdict after it, must be what a few lines of pandas say. The
exit code is 1 where something differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from river.drift import ADWIN

DAYS = 28
PERIODS = {"15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "6h": 21600, "24h": 86400}
PER_RECORDING = 50  # policies


def recording(random):
    """Readings by time, of one model, with gaps of hours and slow and sudden changes."""
    at = np.unique(random.integers(0, DAYS * 86400, random.integers(2000, 20000)))
    for _ in range(random.integers(0, 8)):
        gap = random.integers(0, DAYS * 86400)
        at = at[(at < gap) | (at > gap + random.integers(3600, 2 * 86400))]
    day = at / 86400
    level = 0.8 + 0.1 * np.sin(2 * np.pi * day) * random.random() - 0.2 * (day > random.uniform(5, DAYS))
    readings = {
        "accuracy": (random.random(len(at)) < level).astype(float),
        "latency_ms": 100 * np.exp(random.choice([0.3, 2.0]) * random.normal(size=len(at))) * (1 + 0.3 * (day > random.uniform(5, DAYS))),
        "p_value": random.random(len(at)) ** 20,
        "score": level + 0.1 * random.normal(size=len(at)),
    }
    return pd.DataFrame({k: np.round(v, 12) for k, v in readings.items()}, index=pd.to_datetime(at + 1767225600, unit="s", utc=True))


def statistic(groups, stat):
    if stat.startswith("p"):  # by nearest rank, for which pandas has no interpolation
        return groups.agg(lambda x: np.nan if x.empty else np.percentile(x, float(stat[1:]), method="inverted_cdf"))
    return groups.agg(stat)


def draw(random, data, kind):
    """A rule of a kind, with a threshold among what it would see."""
    metric = str(random.choice(list(data.columns)))
    stat = str(random.choice(["mean", "min", "max", "sum", "count", "p1", "p25", "p50", "p90", "p99", "p99.9"]))
    if kind == "adwin" or kind.endswith("baseline"):
        stat = str(random.choice(["mean", "p50", "max"]))
    rule = {"name": "r", "metric": metric, "stat": stat, "period": str(random.choice(list(PERIODS)))}
    rule["min_samples"] = int(random.choice([1, 1, 10, 50]))
    if stat in ("sum", "count"):
        del rule["min_samples"]
    n = int(random.integers(1, 7))
    if n > 1:
        rule["datapoints"] = {"breaching": int(random.integers(1, n + 1)), "of": n}

    low = bool(random.random() < 0.5)
    if kind == "adwin":
        rule.pop("datapoints", None)
        rule["change"] = {"detector": "adwin", "delta": float(random.choice([0.002, 0.05, 0.3]))}
    elif kind == "statistic":
        if "min_samples" in rule:
            rule["missing"] = str(random.choice(["ignore", "ok", "breaching"]))
        seen = statistic(data[metric].resample(rule["period"].replace("m", "min")), stat).dropna()
        rule["below" if low else "above"] = float(np.quantile(seen, random.uniform(0.02, 0.98))) * (1 + 1e-7)
    else:
        margin = str(random.choice(["5%", "20%"])) if random.random() < 0.5 else float(abs(data[metric].mean()) * random.choice([0.05, 0.2]))
        rule["below_baseline_by" if low else "above_baseline_by"] = margin
        rule["baseline"] = {"samples": int(random.choice([50, 500, 1000]))}
        if kind == "season baseline":
            rule["baseline"] = {"from": "trailing", "periods": int(random.integers(2, 5))}
            if rule["period"] != "24h" and random.random() < 0.7:
                rule["baseline"]["season"] = "24h"
    return rule


def datapoints(data, rule, got):
    """What pandas says of a rule: of each period value, threshold, state and verdict.

    A percentile is of a sketch, within 1 % of pandas' own, which is `exact`. What follows
    from it must follow from the value that was shown."""
    length = PERIODS[rule["period"]]
    readings = data[rule["metric"]]
    groups = readings.resample(rule["period"].replace("m", "min"))
    t = pd.DataFrame({"readings": groups.count(), "value": statistic(groups, rule["stat"])})
    total = rule["stat"] in ("sum", "count")
    t["missing"] = (t.readings < rule.get("min_samples", 1)) & (not total)
    t.loc[t.missing, "value"] = np.nan
    t["exact"] = t.value
    is_percentile = rule["stat"].startswith("p")
    if is_percentile:
        t["value"] = got.value.reindex(t.index).where(t.value.notna()).fillna(t.value)
    t["unknown"] = False
    if total:  # the first period is whole only where its beginning was seen
        t.iloc[0, t.columns.get_loc("unknown")] = readings.index[0] != t.index[0]

    low = "below" in rule or "below_baseline_by" in rule
    margin = rule.get("below_baseline_by", rule.get("above_baseline_by"))
    t["threshold"] = rule.get("below", rule.get("above", np.nan))

    t["base"] = 0.0  # what an error of the threshold is measured by

    def away(base):
        by = abs(base) * float(margin[:-1]) / 100 if isinstance(margin, str) else margin
        return base - by if low else base + by

    if "samples" in rule.get("baseline", {}):
        first = readings.iloc[: rule["baseline"]["samples"]]
        if len(first) == rule["baseline"]["samples"]:
            base = statistic(pd.Series(first).groupby(np.zeros(len(first))), rule["stat"]).iloc[0]
            judged = t.index + pd.Timedelta(seconds=length + min(30, length / 10))
            t.loc[judged >= first.index[-1], ["threshold", "base"]] = away(base), base
    t["exact_threshold"] = t.threshold
    if is_percentile and "samples" in rule.get("baseline", {}):
        t["threshold"] = got.threshold.reindex(t.index).where(t.threshold.notna()).fillna(t.threshold)
    if "from" in rule.get("baseline", {}):  # breaching datapoints are left out, so it can't be said without a loop
        room = rule["baseline"]["periods"]
        season = 86400 if "season" in rule["baseline"] else length
        kept, passed = {}, Counter()
        for start, value in t.value.dropna().items():
            phase = int(start.timestamp()) // length % (season // length)
            trail = kept.setdefault(phase, [])
            breaches = False
            if len(trail) == room:
                base = np.mean(trail)
                t.loc[start, ["threshold", "exact_threshold", "base"]] = away(base), away(base), base
                breaches = value < t.threshold[start] if low else value > t.threshold[start]
            if breaches and passed[phase] < room:
                passed[phase] += 1
                continue
            if not breaches:
                passed[phase] = 0
            kept[phase] = (trail + [value])[-room:]

    t["breach"] = ~t.unknown & ((t.value < t.threshold) if low else (t.value > t.threshold))
    counts = t.breach.astype(float).where(~t.missing & t.threshold.notna() & ~t.unknown)
    if rule.get("missing") == "breaching":
        t.loc[t.missing, "breach"] = True
    if rule.get("missing", "ignore") != "ignore":
        counts = counts.where(~t.missing, t.breach.astype(float))
    m, n = (rule["datapoints"]["breaching"], rule["datapoints"]["of"]) if "datapoints" in rule else (1, 1)
    reach = 3 * n if rule.get("missing", "ignore") == "ignore" else n
    t["verdict"] = counts.rolling(reach, min_periods=1).apply(lambda w: w[~np.isnan(w)][-n:].sum() >= m, raw=True)
    t["verdict"] = t.verdict.map({0.0: "healthy", 1.0: "breaching"}).fillna("unknown")
    t["state"] = np.select([t.breach, t.unknown | (~t.missing & t.threshold.isna()), t.missing], ["breaching", "unknown", "missing"], "healthy")
    return t


def changes(t, delta):
    """The datapoints at which river's ADWIN detects a change."""
    detector, found = ADWIN(delta=delta, clock=1), []
    for start, value in t.value.dropna().items():
        detector.update(value)
        if detector.drift_detected:
            found.append(start)
            detector = ADWIN(delta=delta, clock=1)
    return found


def backtest(binary, folder, data, rules):
    data.rename_axis("timestamp").to_csv(folder / "events.csv", date_format="%Y-%m-%dT%H:%M:%SZ")
    policies = [{"model_name": "m", "cooldown": "0s", "rules": [rule]} for rule in rules]
    (folder / "policies.yaml").write_text("\n---\n".join(map(json.dumps, policies)))
    run = subprocess.run(
        [binary, "backtest", "policies.yaml", "--events", "events.csv", "--datapoints", "datapoints.csv", "-o", "json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )
    if run.returncode:
        sys.exit(run.stderr)
    points = pd.read_csv(folder / "datapoints.csv", parse_dates=["start"])
    return json.loads(run.stdout)["results"], dict(tuple(points.groupby("document")))


def near(a, b, within):
    return abs(a - b) <= within * abs(b) or (np.isnan(a) and np.isnan(b))


def differences(rule, want, got, result):
    """What differs, in words."""
    found = []
    is_silent = (want.readings == 0) & (want.state != "breaching")  # and changes nothing: not always listed
    if missed := want[~is_silent].index.difference(got.index).tolist() + got.index.difference(want.index).tolist():
        found.append(f"{len(missed)} periods are judged by one alone, such as {missed[0]}")
    within = 0.0101 if rule["stat"].startswith("p") else 1e-9
    for start, p in got.loc[got.index.intersection(want.index)].iterrows():
        w = want.loc[start]
        if not near(p.value, w.exact, within) and w.state != "unknown":
            found.append(f"{start}: value {p.value}, pandas has {w.exact}")
        if "change" in rule:
            continue
        if p.state in ("healthy", "breaching") and not w.missing and abs(p.threshold - w.exact_threshold) > max(1.3 * within * abs(w.base), 1e-9 * abs(w.exact_threshold)):
            found.append(f"{start}: threshold {p.threshold}, pandas has {w.exact_threshold}")
        if p.state != w.state:
            found.append(f"{start}: {p.state}, pandas has {w.state}")
        if p.verdict != w.verdict:
            found.append(f"{start}: the rule is {p.verdict}, pandas has {w.verdict}")
    if "change" in rule:
        wanted = changes(want, rule["change"]["delta"])
        triggered = [d["at"] for d in result["decisions"] if d["kind"] == "triggered"]
        due = [start + pd.Timedelta(seconds=PERIODS[rule["period"]] + min(30, PERIODS[rule["period"]] / 10)) for start in wanted]
        if due != [pd.Timestamp(at) for at in triggered]:
            found.append(f"changes at {triggered[:3]}, river has them at {due[:3]}")
    return found


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--binary", required=True, type=Path)
    options.add_argument("--policies", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    random = np.random.default_rng(options.seed)
    kinds = ["statistic", "statistic", "first baseline", "season baseline", "adwin"]
    judged, differ, points = Counter(), Counter(), 0
    for _ in range(0, options.policies, PER_RECORDING):
        data = recording(random)
        rules = [(kind, draw(random, data, kind)) for kind in (kinds[i % len(kinds)] for i in range(PER_RECORDING))]
        with tempfile.TemporaryDirectory() as folder:
            results, got = backtest(options.binary.resolve(), Path(folder), data, [rule for _, rule in rules])
        for result, (kind, rule) in zip(results, rules):
            listed = got[result["document"]].set_index("start").fillna({"verdict": "unknown"})
            want = datapoints(data, rule, listed)
            kind += ", M of N" if "datapoints" in rule else ""
            found = differences(rule, want, listed, result)
            judged[kind] += 1
            differ[kind] += bool(found)
            points += len(want)
            if found:
                print(json.dumps(rule), *found[:3], sep="\n  ")
    print(f"{'policies of':28} {'held':>6} {'differ':>7}")
    for kind in sorted(judged):
        print(f"{kind:28} {judged[kind]:6} {differ[kind]:7}")
    print(f"{'all':28} {judged.total():6} {differ.total():7}, of {points} datapoints")
    return 1 if differ.total() else 0


if __name__ == "__main__":
    sys.exit(main())
