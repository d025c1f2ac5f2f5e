"""The table: what must be shown, what was seen, and what the peers show beside it."""

from dataclasses import dataclass

from scipy.stats import binom


@dataclass
class Row:
    shown: str
    seen: str
    goal: str
    ok: bool
    beside: str = ""


def show(title, rows):
    """Prints a section, and says whether all of it holds."""
    print(f"\n## {title}\n")
    print("| must show | seen | goal | holds | beside it |\n|---|---|---|---|---|")
    holds = True
    for row in rows:
        holds = holds and row.ok
        print(f"| {row.shown} | {row.seen} | {row.goal} | {'yes' if row.ok else '**NO**'} | {row.beside} |", flush=True)
    return holds


def upper_limit(asked, looks):
    """What a binomial variable exceeds in one of a thousand cases."""
    return int(binom.ppf(0.999, looks, asked))
