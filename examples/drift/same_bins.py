"""Each statistic on the same bins, by the product and by scipy and numpy."""

import numpy as np

import by_scipy
from product import PROFILE, Stream, rule
from table import Row

NUMERIC = ["ks", "psi", "js", "tvd", "wasserstein"]


def section(product, size):
    random = np.random.default_rng(1)
    worst = {}
    for _ in range(size.cases):
        one, other = random.normal(0, 10 ** random.uniform(-3, 3), 5000), random.choice(list("abcdefgh"), 5000, p=random.dirichlet(np.ones(8)))
        period = {"x": moved(random, one, 700), "category:c": moved(random, other, 700)}
        period["category:c"][:5] = "never seen"
        period["x"][:50] = np.nan
        profile = product.profile({"x": one, "category:c": other})
        found = product.judge(rules(), [Stream([period])], profile)[0]
        for name, value in expected(profile, period).items():
            seen = found[name][0].value
            worst[name] = max(worst.get(name, 0), abs(seen - value) / max(1, value))
    return [Row(f"{name} on the same bins, by scipy and numpy, {size.cases} cases", f"within {apart:.1e}", "within 1e-9", apart <= 1e-9)
            for name, apart in worst.items()]


def moved(random, values, n):
    """A sample that lacks some part of the values."""
    kept = np.sort(values)[int(len(values) * random.uniform(0, 0.3)):]
    return random.choice(kept, n).astype("U16" if values.dtype.kind == "U" else float)


def rules():
    numeric = [rule(name, name, "x", PROFILE, above=1e9 if name in ("psi", "wasserstein") else 1) for name in NUMERIC + ["missing"]]
    return numeric + [rule(f"{name} of a category", name, "category:c", PROFILE, above=1e9 if name == "psi" else 1) for name in ("psi", "js", "tvd")]


def expected(profile, period):
    metric, category = profile["metrics"]["x"], profile["categories"]["c"]
    there = period["x"][~np.isnan(period["x"])]
    counts = np.bincount(np.searchsorted(metric["edges"], there, side="right"), minlength=len(metric["counts"]))
    values = by_scipy.each(metric["counts"], counts, metric["edges"], metric["std"])
    values["missing"] = np.mean(np.isnan(period["x"]))
    known = list(category["counts"])
    reference = [category["counts"][value] for value in known] + [0]
    later = [np.sum(period["category:c"] == value) for value in known]
    later.append(len(period["category:c"]) - sum(later))
    return values | {f"{name} of a category": value for name, value in by_scipy.each(reference, later).items()}
