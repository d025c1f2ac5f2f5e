"""Trains a decision tree at the end of every day of ELEC2 and writes down how often each is right on each later day.

    python matrix.py elec.csv.gz tree-accuracy.gz

The output is gzip of one byte per pair of days (trained, judged), trained < judged: the number of the day's 48
half-hours that the tree trained on the 28 days up to and with `trained` predicts right. Pairs come in the order of
`trained`, from day 27 on, then of `judged`. From it any schedule of retraining is a walk: see schedule.go.
"""

import gzip
import sys

import numpy
from sklearn.tree import DecisionTreeClassifier

HALF_HOURS = 48  # a day
WINDOW = 28  # days a tree is trained on


def main(source, target):
    table = numpy.loadtxt(source, delimiter=",", skiprows=1)
    features, up = table[:, :-1], table[:, -1].astype(int)
    days = len(up) // HALF_HOURS
    counts = []
    for trained in range(WINDOW - 1, days - 1):
        begin, end = (trained + 1 - WINDOW) * HALF_HOURS, (trained + 1) * HALF_HOURS
        # A leaf of fewer than 10 half-hours is noise. The seed only breaks ties between equal splits.
        tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=10, random_state=0)
        tree.fit(features[begin:end], up[begin:end])
        right = tree.predict(features[end:]) == up[end:]
        counts.append(right.reshape(-1, HALF_HOURS).sum(axis=1).astype(numpy.uint8))
    with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(numpy.concatenate(counts).tobytes())
    print(f"{len(counts)} trees, {sum(map(len, counts))} days judged, written to {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
