"""Writes testdata/weights.csv: the two weight vectors of each of the benchmark's seeds, as numpy draws them."""

import csv

import numpy

SEEDS = [42, 123, 456, 789, 1011, 1213, 1415, 1617, 1819, 2021]

with open("testdata/weights.csv", "w", newline="") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["seed", "concept", *(f"w{i}" for i in range(10))])
    for seed in SEEDS:
        random = numpy.random.default_rng(seed)
        for concept in ["before", "after"]:
            rows.writerow([seed, concept, *random.normal(size=10).round(6)])
