"""How many periods it takes to find a change, at one false alarm in 90 looks."""

import numpy as np

import peers
from product import Stream, rule
from table import Row

RATE, PER_LOOK = "1 per 90d", 1 / 90
REFERENCE, READINGS, PERIODS = 5000, 512, 30


def countries(share):
    return lambda random, n: random.choice(["DE", "FR", "IT"], n, p=[1 - share - 0.2, 0.2, share])


def normal(shift):
    return lambda random, n: random.normal(shift, 1, n)


BEFORE = {"metric": normal(0), "category": countries(0.10)}
CHANGES = [
    ("0.1 sigma", "metric", normal(0.1)),
    ("0.25 sigma", "metric", normal(0.25)),
    ("0.5 sigma", "metric", normal(0.5)),
    ("a share from 10 % to 14 %", "category", countries(0.14)),
]


def section(product, size):
    nulls = {kind: null_scores(size, before) for kind, before in BEFORE.items()}
    above = bound_of_wasserstein(product, size)
    for what, kind, after in CHANGES:
        if kind == "metric":
            rules = [rule(s, s, "x", false_alarms=RATE) for s in ("ks", "psi", "js")] + [rule("wasserstein", "wasserstein", "x", above=above)]
        else:
            rules = [rule(s, s, "category:x", false_alarms=RATE) for s in ("tvd", "psi", "js")]
        yield row_of(product, size, what, kind, after, rules, nulls[kind])


def bound_of_wasserstein(product, size):
    """Of the rates of false alarms it knows nothing: as an operator would, by streams without a change."""
    random = np.random.default_rng(7)
    streams = [Stream([{"x": BEFORE["metric"](random, READINGS)}], {"x": BEFORE["metric"](random, REFERENCE)}) for _ in range(size.streams)]
    found = product.judge([rule("w", "wasserstein", "x", above=1e9)], streams)
    return float(np.quantile([points["w"][0].value for points in found], 1 - PER_LOOK))


def drawn(size, before, after):
    random = np.random.default_rng(8)
    return [(before(random, REFERENCE), [after(random, READINGS) for _ in range(PERIODS)]) for _ in range(size.delays)]


def row_of(product, size, what, kind, after, rules, null):
    name = "category:x" if kind == "category" else "x"
    streams = drawn(size, BEFORE[kind], after)
    found = product.judge(rules, [Stream([{name: period} for period in periods], {name: reference}) for reference, periods in streams])
    seen, best = [], 0.0
    for statistic in (r["name"] for r in rules):
        delays = [first(point.state == "breaching" for point in points[statistic]) for points in found]
        seen.append(f"{statistic} {told(delays)}")
        best = max(best, share_found(delays))

    beside = []
    for peer, look in peers.ALL.items():
        scored = [list(look(reference, periods, kind == "category")) for reference, periods in streams[:size.peers]]
        bound = np.quantile([score for score, _ in null[peer]], 1 - PER_LOOK)
        theirs = told([first(alarm for _, alarm in scores) for scores in scored])
        ours = told([first(score > bound for score, _ in scores) for scores in scored])
        rate = np.mean([alarm for _, alarm in null[peer]])
        beside.append(f"{peer} {theirs} at its own {rate:.1%} of false alarms, {ours} at ours")
    return Row(f"{what}, {READINGS} readings a day", "; ".join(seen), f"found within {PERIODS} days", best == 1, "; ".join(beside))


def null_scores(size, before):
    """What the peers say of streams without a change."""
    random, scores = np.random.default_rng(9), {peer: [] for peer in peers.ALL}
    for _ in range(size.streams):
        reference, period = before(random, REFERENCE), before(random, READINGS)
        for peer, look in peers.ALL.items():
            scores[peer] += look(reference, [period], period.dtype.kind == "U")
    return scores


def first(alarms):
    """The number of the first period with an alarm, from 1; none is infinite."""
    return next((i for i, alarm in enumerate(alarms, 1) if alarm), np.inf)


def share_found(delays):
    return np.mean(np.isfinite(delays))


def told(delays):
    median = np.median(delays)
    words = f"day {median:g}" if np.isfinite(median) else "never"
    found = share_found(delays)
    return words if found == 1 else f"{words} (found {found:.0%})"
