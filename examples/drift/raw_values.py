"""KS and Wasserstein over bins against those of the raw values, on twenty shapes: inside
the error that docs/drift.md states."""

import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance

from product import PROFILE, Stream, rule
from shapes import shapes
from table import Row

REFERENCE, PERIOD = 5000, 2000
ROUNDING = 1e-9


def section(product, size):
    rows = []
    for name, reference, period in shapes(np.random.default_rng(2), REFERENCE, PERIOD):
        profile = product.profile({"x": reference})
        rules = [rule("ks", "ks", "x", PROFILE, above=1), rule("wasserstein", "wasserstein", "x", PROFILE, above=1e9),
                 rule("learnt", "ks", "x", {"from": "first", "samples": REFERENCE}, above=1)]
        found = product.judge(rules, [Stream([{"x": period}], {"x": reference})], profile)[0]
        rows.append(row_of(name, reference, period, profile["metrics"]["x"], found))
    return rows


def row_of(name, reference, period, bins, found):
    edges, shares = np.array(bins["edges"]), np.array(bins["counts"]) / REFERENCE
    ks, learnt, wasserstein = found["ks"][0].value, found["learnt"][0].value, found["wasserstein"][0].value
    raw = ks_2samp(reference, period, method="asymp").statistic
    error = shares[~of_one_value(edges)].max()
    ok = ks - ROUNDING <= raw <= ks + error + ROUNDING and learnt <= raw + ROUNDING
    seen = f"ks {ks:.4f} (bins learnt from events: {learnt:.4f}), raw {raw:.4f}"
    goal = f"ks to ks + {error:.4f}"

    if bins["std"] > 0:
        counts = np.bincount(np.searchsorted(edges, period, side="right"), minlength=len(shares)) / PERIOD
        error = np.sum(np.maximum(shares, counts)[1:-1] * np.diff(edges)) / bins["std"]
        cut = wasserstein_distance(np.clip(reference, edges[0], edges[-1]), np.clip(period, edges[0], edges[-1])) / bins["std"]
        ok = ok and abs(cut - wasserstein) <= error + ROUNDING
        seen += f"; wasserstein {wasserstein:.4f}, raw and cut {cut:.4f}"
        goal += f"; ± {error:.4f}"
    else:
        ok = ok and found["wasserstein"][0].state == "unknown"
        seen += "; wasserstein unknown"
        goal += "; unknown without a spread"
    whole = wasserstein_distance(reference, period) / max(np.std(reference), 1e-300)
    return Row(name, seen, goal, ok, f"raw and uncut {whole:.4f}" if bins["std"] > 0 else "")


def of_one_value(edges):
    """Which bins are between two neighbouring floats: what is in them is told exactly."""
    return np.concatenate([[False], np.nextafter(edges[:-1], np.inf) == edges[1:], [False]])
