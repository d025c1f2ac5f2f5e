"""What peers are known to get wrong: each a check with the right answer."""

import numpy as np

import peers
from product import PROFILE, Stream, rule
from table import Row, upper_limit

RATE, ASKED = "1 per 20d", 0.05


def section(product, size):
    return [outlier(product), *more_rows(product, size), rows_of_nothing(product), tail(product, size),
            unseen(product), constant(product), constant_changed(product)]


def outlier(product):
    """Bins between a sample's extremes: one outlier puts all others into one of them."""
    random = np.random.default_rng(10)
    reference, period = random.normal(0, 1, 5000), random.normal(0.5, 1, 2000)
    spoilt = np.append(reference[:-1], 1000.0)

    def ours(data):
        return product.judge([rule("psi", "psi", "x", PROFILE, false_alarms=RATE)], [Stream([{"x": period}])], product.profile({"x": data}))[0]["psi"][0]

    clean, dirty = ours(reference), ours(spoilt)
    theirs = [next(iter(peers.evidently(data, [period], test="psi")))[0] for data in (reference, spoilt)]
    return Row("outlier: psi of half a sigma, one 1000 among 5000 in the reference", f"{dirty.value:.4f}, without it {clean.value:.4f}", "within 2 %, and found",
               abs(dirty.value - clean.value) <= 0.02 * clean.value and dirty.state == "breaching", f"evidently's psi {theirs[1]:.4f}, without it {theirs[0]:.4f}")


def more_rows(product, size):
    """A threshold such as 0.1 alarms by the number of rows, whatever the data do."""
    random = np.random.default_rng(11)
    profile = product.profile({"x": random.normal(size=100_000)})
    for n in (100, 1000):
        periods = [random.normal(size=n) for _ in range(size.looks)]
        found = product.judge([rule("psi", "psi", "x", PROFILE, false_alarms=RATE)], [Stream([{"x": period} for period in periods])], profile)
        seen = sum(point.state == "breaching" for point in found[0]["psi"])
        theirs = [sum(alarm for _, alarm in peers.evidently(random.normal(size=1000), [period], test="psi")) for period in periods[:size.streams]]
        limit = upper_limit(ASKED, size.looks)
        yield Row(f"more rows: psi of {n} rows without a change", f"{seen} alarms in {size.looks}", f"{ASKED * size.looks:g} asked, at most {limit}",
                  seen <= limit, f"evidently's psi above 0.1: {sum(theirs)} in {len(theirs)}")


def rows_of_nothing(product):
    """With enough rows a p-value falls below any level for a shift that nobody cares for."""
    random = np.random.default_rng(12)
    reference, few, many = random.normal(0, 1, 20_000), random.normal(0.05, 1, 500), random.normal(0.05, 1, 100_000)
    found = product.judge([rule("ks", "ks", "x", PROFILE, above=0.1)], [Stream([{"x": few}, {"x": many}])], product.profile({"x": reference}))[0]["ks"]
    theirs = list(peers.evidently(reference, [few, many], test="ks"))
    return Row("more rows: ks above 0.1 of a shift of 0.05 sigma, 500 and 100000 rows", " and ".join(f"{p.value:.3f}, {p.state}" for p in found), "healthy twice",
               all(p.state == "healthy" for p in found), "evidently's ks test: " + ", ".join(f"p {-score:.1g}{', alarm' if alarm else ''}" for score, alarm in theirs))


def tail(product, size):
    """What is left behind the last whole chunk is judged as if it were one."""
    random = np.random.default_rng(13)
    alarms, theirs, short = 0, 0, 0
    streams, looks = [], size.streams
    for _ in range(looks):
        reference, period, rest = random.normal(size=5000), random.normal(size=500), random.normal(size=20)
        streams.append(Stream([{"x": period}, {"x": rest}], {"x": reference}))
        theirs += list(peers.nannyml_(reference, [period, rest]))[-1][1]
    rules = [rule("any", "js", "x", false_alarms=RATE), rule("many", "js", "x", false_alarms=RATE, min_samples=100)]
    for points in product.judge(rules, streams):
        alarms += points["any"][-1].state == "breaching"
        short += points["many"][-1].state == "missing"
    limit = upper_limit(ASKED, looks)
    return Row(f"tail: 20 readings behind 500, {looks} streams without a change", f"{alarms} alarms of the tail; by min_samples 100 missing in {short}",
               f"at most {limit}; missing in all", alarms <= limit and short == looks, f"nannyml {theirs} alarms of the tail")


def unseen(product):
    random = np.random.default_rng(14)
    reference = random.choice(["DE", "FR"], 5000, p=[0.7, 0.3])
    period = random.choice(["DE", "FR", "XX"], 1000, p=[0.66, 0.29, 0.05])
    rules = [rule(statistic, statistic, "category:c", PROFILE, false_alarms="1 per 90d") for statistic in ("psi", "js", "tvd")]
    found = product.judge(rules, [Stream([{"category:c": period}])], product.profile({"category:c": reference}))[0]
    seen = {name: points[0] for name, points in found.items()}
    share = np.mean(period == "XX")
    ok = all(np.isfinite(p.value) and p.state == "breaching" for p in seen.values()) and seen["tvd"].value >= share - 1e-9
    return Row(f"unseen category in {share:.1%} of the rows", ", ".join(f"{name} {p.value:.4f}, {p.state}" for name, p in seen.items()),
               "finite, and found", ok, by_each_peer(reference, period, True))


def constant(product):
    values = np.full(5000, 7.0)
    rules = [rule(s, s, "x", PROFILE, false_alarms="1 per 90d") for s in ("ks", "psi", "js", "tvd")] + [rule("wasserstein", "wasserstein", "x", PROFILE, above=0.1)]
    found = product.judge(rules, [Stream([{"x": values[:500]}])], product.profile({"x": values}))[0]
    seen = {name: points[0] for name, points in found.items()}
    ok = all(p.state == "healthy" for name, p in seen.items() if name != "wasserstein") and seen["wasserstein"].state == "unknown"
    return Row("constant feature that stays", words(seen), "healthy; wasserstein unknown, since it has no spread", ok, by_each_peer(values, values[:500]))


def constant_changed(product):
    values, period = np.full(5000, 7.0), np.append(np.full(450, 7.0), np.full(50, 8.0))
    rules = [rule(s, s, "x", PROFILE, false_alarms="1 per 90d") for s in ("ks", "psi", "js", "tvd")]
    seen = {name: points[0] for name, points in product.judge(rules, [Stream([{"x": period}])], product.profile({"x": values}))[0].items()}
    ok = all(p.state == "breaching" for p in seen.values()) and abs(seen["ks"].value - 0.1) < 1e-9
    return Row("constant feature of which a tenth changes", words(seen), "found, ks 0.1", ok, by_each_peer(values, period))


def words(seen):
    return ", ".join(f"{name} {p.value:.4g}, {p.state}" for name, p in seen.items())


def by_each_peer(reference, period, is_category=False):
    said = []
    for peer, look in peers.ALL.items():
        try:
            score, alarm = next(iter(look(reference, [period], is_category)))
            said.append(f"{peer} {score:.3g}, {'alarm' if alarm else 'none'}")
        except Exception as fault:  # the fault is what the peer says
            said.append(f"{peer} fails: {type(fault).__name__}")
    return "; ".join(said)
