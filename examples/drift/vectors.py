"""Writes metric/drift/testdata/scipy.json: counts of bins, and what scipy says of them.

    python vectors.py > ../../metric/drift/testdata/scipy.json
"""

import json
import sys

import numpy as np

import by_scipy

CASES = 40


def cases(random):
    for i in range(CASES):
        bins = [2, 3, 5, 32][i % 4]
        edges = np.sort(random.normal(0, 10 ** random.uniform(-3, 3), bins - 1))
        shares = random.dirichlet(np.full(bins, 0.5))  # of which some are next to nothing
        moved = random.dirichlet(1 + 50 * shares)
        reference = random.multinomial(random.integers(1, 100_000), shares)
        period = random.multinomial(random.integers(1, 5_000), moved)
        yield edges, reference, period, random.uniform(0.1, 10)

    same = np.array([3, 0, 4])
    yield np.array([1.0, 2.0]), same, 2 * same, 1.0
    yield np.array([-1.0, 2.0]), np.array([7, 0, 0]), np.array([0, 0, 9]), 2.0


def main():
    vectors = []
    for edges, reference, period, deviation in cases(np.random.default_rng(1)):
        values = by_scipy.each(reference, period, edges, deviation)
        vectors.append({
            "edges": edges.tolist(), "deviation": deviation, "reference": reference.tolist(), "period": period.tolist(),
            "values": {name: float(value) for name, value in sorted(values.items())},
        })
    print("[\n" + ",\n".join(json.dumps(vector) for vector in vectors) + "\n]")


if __name__ == "__main__":
    sys.exit(main())
