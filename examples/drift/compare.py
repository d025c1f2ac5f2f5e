"""Holds modelvigil's drift rules against scipy, Evidently, NannyML and whylogs, and prints
one table of what was seen. Exits with 1 where something does not hold.

    python compare.py --binary ../../bin/modelvigil [--only raw] [--quick]
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import alarms
import delays
import faults
import raw_values
import same_bins
from product import Product
from table import show

SECTIONS = {  # by the name for --only: what makes its rows, and what stands above them
    "statistics": (same_bins.section, "Each statistic on the same bins"),
    "raw": (raw_values.section, "From bins, against the raw values"),
    "alarms": (alarms.streams, "False alarms: streams without a change, a look each"),
    "looks": (alarms.looks, "False alarms: many looks against one profile"),
    "delays": (delays.section, "Changes, and when they are found"),
    "faults": (faults.section, "Known faults of others"),
}


@dataclass
class Size:
    """How much of everything is looked at."""

    cases: int = 20  # of same bins
    streams: int = 300  # each with a reference of its own, and the peers'
    looks: int = 10_000  # against one reference
    long: int = 50  # of these, looks at 50,000 readings
    delays: int = 40  # streams that change
    peers: int = 20  # of these, those that the peers see too


QUICK = Size(cases=3, streams=20, looks=300, long=10, delays=5, peers=3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True, help="the built modelvigil")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section; can be repeated")
    parser.add_argument("--quick", action="store_true", help="a little of everything")
    chosen = parser.parse_args()

    size = QUICK if chosen.quick else Size()
    holds = True
    with TemporaryDirectory(prefix="modelvigil-drift-") as folder:
        product = Product(chosen.binary.resolve(), Path(folder))
        for name in chosen.only or SECTIONS:
            section, title = SECTIONS[name]
            holds = show(title, section(product, size)) and holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
