"""The peers, each by its defaults: of a reference and periods, a score for each period, of
which a larger one is worse, and whether the peer raises its alarm."""

import os
import warnings

os.environ.update(NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1", WHYLOGS_NO_ANALYTICS="True")
warnings.filterwarnings("ignore")

import nannyml  # noqa: E402
import pandas  # noqa: E402
import whylogs  # noqa: E402
from evidently.legacy.calculations.stattests import get_stattest  # noqa: E402
from evidently.legacy.core import ColumnType  # noqa: E402
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores  # noqa: E402


def evidently(reference, periods, is_category=False, test=None):
    """Evidently's tests; left out, the one that it takes for data of this kind and size."""
    kind = ColumnType.Categorical if is_category else ColumnType.Numerical
    reference = pandas.Series(reference)
    for period in periods:
        period = pandas.Series(period)
        chosen = get_stattest(reference, period, kind, test)
        result = chosen(reference, period, kind, None)
        is_p_value = chosen.default_threshold == 0.05
        yield (-result.drift_score if is_p_value else result.drift_score), bool(result.drifted)


def nannyml_(reference, periods, is_category=False, method="jensen_shannon"):
    """NannyML's univariate drift, whose thresholds are three standard deviations over the
    reference's own chunks of the periods' size."""
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=["x"], treat_as_categorical=["x"] if is_category else [],
        continuous_methods=[method], categorical_methods=[method], chunk_size=len(periods[0]))
    calculator.fit(pandas.DataFrame({"x": reference}))
    result = calculator.calculate(pandas.DataFrame({"x": pandas.concat([pandas.Series(p) for p in periods], ignore_index=True)}))
    found = result.filter(period="analysis").to_df()["x"][method]
    yield from zip(found["value"], found["alert"].astype(bool))


def whylogs_(reference, periods, is_category=False):
    """whylogs' drift scores of two of its profiles."""
    against = whylogs.log(pandas.DataFrame({"x": reference})).view()
    for period in periods:
        view = whylogs.log(pandas.DataFrame({"x": period})).view()
        found = calculate_drift_scores(target_view=view, reference_view=against, with_thresholds=True)["x"]
        score = found["statistic"] if found["pvalue"] is None else -found["pvalue"]
        yield score, found["drift_category"] == "DRIFT"


ALL = {"evidently": evidently, "nannyml": nannyml_, "whylogs": whylogs_}
