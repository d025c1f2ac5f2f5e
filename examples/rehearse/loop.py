"""A decision tree that predicts ELEC2 and is retrained when modelvigil says so.

    modelvigil rehearse ../elec2/policies/bad-day-or-dull-days.yaml -- python3 loop.py elec.csv.gz

The loop is that of any model: ask what is due, predict, tell how well, go on. Where the data comes from, and
what it is, ../elec2/stream.go says; what it needs, ../elec2/tree/requirements.txt.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import numpy
from sklearn.tree import DecisionTreeClassifier

WINDOW = 28 * 48  # half-hours that a tree is trained on

table = numpy.loadtxt(sys.argv[1], delimiter=",", skiprows=1)
features, up = table[:, :-1], table[:, -1].astype(int)


def say(**line):
    print(json.dumps(line), flush=True)


def train(row):
    tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=10, random_state=0)
    return tree.fit(features[row - WINDOW : row], up[row - WINDOW : row])


model, version = train(WINDOW), "first"
for row in range(WINDOW, len(up)):
    begins = datetime(1996, 5, 7, tzinfo=timezone.utc) + timedelta(minutes=30 * row)
    say(timestamp=(begins + timedelta(minutes=1)).isoformat(), model_version=version)  # the clock goes on
    say(sync=row)
    while "retrain" in (told := json.loads(sys.stdin.readline())):
        model, version = train(row), f"row-{row}"
        say(retraining={"request_id": told["retrain"]["request_id"], "state": "succeeded", "model_version": version})
    right = model.predict(features[row : row + 1])[0] == up[row]
    say(timestamp=(begins + timedelta(minutes=15)).isoformat(), model_version=version, accuracy=float(right))
