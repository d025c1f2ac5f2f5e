"""The statistics of drift rules, by scipy and numpy, over the counts of the same bins."""

import numpy as np
from scipy.spatial.distance import cityblock, jensenshannon
from scipy.special import rel_entr
from scipy.stats import ks_2samp, wasserstein_distance


def ks(reference, period):
    """The largest difference of cumulated shares: each reading is the number of its bin."""
    bins = np.arange(len(reference))
    return ks_2samp(np.repeat(bins, reference), np.repeat(bins, period), method="asymp").statistic


def psi(reference, period):
    """The population stability index, each count plus one half."""
    p = (np.asarray(reference) + 0.5) / (np.sum(reference) + len(reference) / 2)
    q = (np.asarray(period) + 0.5) / (np.sum(period) + len(period) / 2)
    return np.sum(rel_entr(q, p) + rel_entr(p, q))


def js(reference, period):
    """The Jensen-Shannon distance, base 2."""
    return jensenshannon(reference, period, 2)


def tvd(reference, period):
    """The total variation distance."""
    return cityblock(shares(reference), shares(period)) / 2


def wasserstein(reference, period, edges, deviation):
    """The earth mover's distance between the outermost edges, in standard deviations of
    the reference: each bin's readings are at its upper edge, the last bin's at its lower."""
    places = np.append(edges, edges[-1])
    return wasserstein_distance(places, places, reference, period) / deviation


def shares(counts):
    return np.asarray(counts) / np.sum(counts)


def each(reference, period, edges=None, deviation=0):
    """All statistics by name; of a category, whose bins have no order, those that it has."""
    values = {"psi": psi(reference, period), "js": js(reference, period), "tvd": tvd(reference, period)}
    if edges is not None:
        values["ks"] = ks(reference, period)
        values["wasserstein"] = wasserstein(reference, period, edges, deviation)
    return values
