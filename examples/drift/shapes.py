"""Twenty ways in which a feature may be distributed, in a reference and in a period."""

import numpy as np


def mixed(random, share, one, other):
    return np.where(random.random(len(one)) < share, one, other)


def shapes(random, n, m):
    """Name, n readings of a reference and m of a period, of each shape."""
    normal, lognormal, exponential = random.normal, random.lognormal, random.exponential
    yield "normal, nothing moved", normal(0, 1, n), normal(0, 1, m)
    yield "normal, moved a tenth", normal(0, 1, n), normal(0.1, 1, m)
    yield "normal, moved a half", normal(0, 1, n), normal(0.5, 1, m)
    yield "normal, wider", normal(0, 1, n), normal(0, 1.5, m)
    yield "N(100, 1) to N(100.3, 1)", normal(100, 1, n), normal(100.3, 1, m)
    yield "normal very far from zero", normal(1e6, 1, n), normal(1e6 + 1, 1, m)
    yield "normal very near zero", normal(0, 1e-9, n), normal(1e-9, 1e-9, m)
    yield "lognormal", lognormal(0, 1, n), lognormal(0.2, 1, m)
    yield "lognormal, heavier tail", lognormal(0, 2, n), lognormal(0, 3, m)
    yield "negative lognormal", -lognormal(3, 1, n), -lognormal(3.2, 1, m)
    yield "exponential", exponential(10, n), exponential(12, m)
    yield "uniform", random.uniform(0, 1, n), random.uniform(0.05, 1.05, m)
    yield "Cauchy", random.standard_cauchy(n), 1 + random.standard_cauchy(m)
    yield "binary", random.binomial(1, 0.02, n), random.binomial(1, 0.05, m)
    yield "counts", random.poisson(3, n), random.poisson(3.5, m)
    yield "rounded normal", np.round(normal(0, 3, n)), np.round(normal(1, 3, m))
    yield "many zeros", mixed(random, 0.7, np.zeros(n), lognormal(2, 1, n)), mixed(random, 0.6, np.zeros(m), lognormal(2, 1, m))
    yield "two hills", mixed(random, 0.5, normal(-3, 1, n), normal(3, 1, n)), mixed(random, 0.3, normal(-3, 1, m), normal(3, 1, m))
    yield "one outlier of 1000", np.append(normal(0, 1, n - 1), 1000.0), normal(0, 1, m)
    yield "constant, then not", np.full(n, 7.0), mixed(random, 0.9, np.full(m, 7.0), normal(9, 1, m))
