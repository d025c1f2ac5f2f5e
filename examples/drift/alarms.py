"""False alarms, asked for and seen, on streams in which nothing changes."""

import numpy as np
from scipy.signal import lfilter

import peers
from product import PROFILE, Stream, rule
from table import Row, upper_limit

ASKED = 0.05  # of looks; in a policy, 1 per 20d of daily ones
RATE = "1 per 20d"
REFERENCE = 5000

SHAPES = {
    "normal": lambda random, n: random.normal(0, 1, n),
    "lognormal": lambda random, n: random.lognormal(0, 1, n),
    "Cauchy": lambda random, n: random.standard_cauchy(n),
    "five values": lambda random, n: random.choice([1.0, 2.0, 3.0, 4.0, 5.0], n, p=[0.5, 0.25, 0.15, 0.07, 0.03]),
    "2 % ones": lambda random, n: random.binomial(1, 0.02, n).astype(float),
    "four countries": lambda random, n: random.choice(["DE", "FR", "IT", "XX"], n, p=[0.6, 0.3, 0.09, 0.01]),
}
# Shape, readings a look, statistic: one look at each of so many streams, and a reference of its own.
FRESH = [("normal", 512, "ks"), ("normal", 512, "js"), ("normal", 512, "psi"), ("normal", 512, "tvd"),
         ("lognormal", 48, "ks"), ("Cauchy", 4096, "ks"), ("five values", 48, "psi"), ("2 % ones", 48, "tvd"), ("four countries", 512, "js")]
MANY = [("normal", 50, "psi"), ("normal", 300, "js"), ("lognormal", 50, "ks"), ("five values", 50, "js"), ("2 % ones", 50, "tvd"), ("four countries", 50, "psi")]
PEERS = [("normal", 512), ("lognormal", 48), ("2 % ones", 48), ("four countries", 512)]


def streams(product, size):
    """Each stream has a reference of its own, and one look; beside it the peers' defaults."""
    rows = [fresh(product, size.streams, *case) for case in FRESH]
    return rows + [by_peers(size.streams, *case) for case in PEERS]


def looks(product, size):
    """Many looks against one reference, of so much data that its own chance is nothing."""
    rows = [one_reference(product, size.looks, *case) for case in MANY]
    return rows + [long_period(product, size), *dependent(product, size), *forty(product, size)]


def name_of(shape):
    return "category:x" if shape == "four countries" else "x"


def verdict(what, found, looks, beside=""):
    limit = upper_limit(ASKED, looks)
    return Row(what, f"{found} of {looks}", f"{ASKED * looks:g} asked, at most {limit}", found <= limit, beside)


def breaching(found):
    return sum(point.state == "breaching" for points in found for point in points["r"])


def fresh(product, streams, shape, n, statistic):
    random, name = np.random.default_rng(3), name_of(shape)
    drawn = [Stream([{name: SHAPES[shape](random, n)}], {name: SHAPES[shape](random, REFERENCE)}) for _ in range(streams)]
    found = product.judge([rule("r", statistic, name, false_alarms=RATE)], drawn)
    return verdict(f"{statistic}, {shape}, {n} readings, a reference each", breaching(found), streams)


def one_reference(product, looks, shape, n, statistic):
    random, name = np.random.default_rng(4), name_of(shape)
    profile = product.profile({name: SHAPES[shape](random, 100_000)})
    stream = Stream([{name: SHAPES[shape](random, n)} for _ in range(looks)])
    found = product.judge([rule("r", statistic, name, PROFILE, false_alarms=RATE)], [stream], profile)
    values = len({point.value for point in found[0]["r"]})
    beside = f"the statistic has {values} values here" if values < looks / 50 else ""
    return verdict(f"{statistic}, {shape}, {n} readings, one profile", breaching(found), looks, beside)


def long_period(product, size):
    random = np.random.default_rng(5)
    profile = product.profile({"x": random.normal(size=500_000)})
    stream = Stream([{"x": random.normal(size=50_000)} for _ in range(size.long)])
    found = product.judge([rule("r", "ks", "x", PROFILE, false_alarms=RATE)], [stream], profile)
    return verdict("ks, normal, 50000 readings, one profile", breaching(found), size.long)


def dependent(product, size):
    """Readings of which each is like the one before: of them there are fewer than are counted."""
    for memory in 0.5, 0.9:
        random = np.random.default_rng(5)
        profile = product.profile({"x": random.normal(size=100_000)})
        looks = size.looks // 10
        readings = autoregressive(random, 200 * looks, memory).reshape(looks, 200)
        found = product.judge([rule("r", "ks", "x", PROFILE, false_alarms=RATE)], [Stream([{"x": look} for look in readings])], profile)
        row = verdict(f"ks, normal, 200 readings that correlate by {memory} with the one before", breaching(found), looks)
        row.goal, row.ok = "shown: a rate assumes independent readings", True
        yield row


def autoregressive(random, n, memory):
    news = random.normal(scale=np.sqrt(1 - memory**2), size=n)
    return lfilter([1], [1, -memory], news)


def forty(product, size):
    """A rule over forty features: independent ones, and such as have half their variance in common."""
    random = np.random.default_rng(6)
    of = {"metrics": ["f.*"]}
    for what, common in ("independent", 0), ("correlated (0.5)", 0.5):
        profile = product.profile(features(random, 50_000, common))
        stream = Stream([features(random, 200, common) for _ in range(size.streams)])
        found = product.judge([rule("r", "ks", of, PROFILE, false_alarms=RATE, at_least=3)], [stream], profile)
        row = verdict(f"ks, 3 of 40 {what} features, 200 readings, one profile", breaching(found), size.streams)
        if common:  # the level is that of independent ones, and what correlation makes of it is shown
            row.goal, row.ok = "shown: levels assume independence", True
        yield row


def features(random, n, common):
    shared = random.normal(size=n) * np.sqrt(common)
    return {f"f.{i}": shared + random.normal(size=n) * np.sqrt(1 - common) for i in range(40)}


def by_peers(streams, shape, n):
    random, counts = np.random.default_rng(3), dict.fromkeys(peers.ALL, 0)
    for _ in range(streams):
        period, reference = SHAPES[shape](random, n), SHAPES[shape](random, REFERENCE)
        for peer, look in peers.ALL.items():
            counts[peer] += sum(alarm for _, alarm in look(reference, [period], shape == "four countries"))
    beside = ", ".join(f"{peer} {count}" for peer, count in counts.items())
    return Row(f"the peers' defaults, {shape}, {n} readings", beside, f"of {streams}", True, "no rate can be asked for")
