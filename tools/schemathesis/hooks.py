"""What schemathesis can't read from the document: how NDJSON is written, that
timestamps lie in the past, and that each event of a body is judged by itself."""

import json
import re
from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

readings = st.floats(min_value=-1e100, max_value=1e100)
times = st.datetimes(
    min_value=datetime(2, 1, 1), max_value=datetime(2026, 1, 1), timezones=st.just(timezone.utc)
).map(lambda t: t.isoformat())
events = st.fixed_dictionaries(
    {"model_name": st.text(min_size=1, max_size=50)},
    optional={
        "timestamp": times,
        "model_version": st.text(max_size=50),
        "accuracy": st.none() | readings,
        "latency_ms": readings,
        "drift_score": readings,
        "metrics": st.dictionaries(st.text(min_size=5, max_size=7), readings, max_size=5),
    },
)

schemathesis.openapi.format("date-time", times)
schemathesis.openapi.media_type(
    "application/x-ndjson",
    st.lists(events, max_size=20).map(lambda lines: "".join(json.dumps(e) + "\n" for e in lines).encode()),
)


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


def is_unix_time(value):
    """Whether a time is a number, as a text or not: which ones are times, no schema can say."""
    return type(value) in (int, float) or isinstance(value, str) and re.fullmatch(r"[-+.0-9]+", value)


def has_unix_time(body):
    for event in body if isinstance(body, list) else [body]:
        if isinstance(event, dict):
            data = event.get("data", event)
            if is_unix_time(event.get("time")) or isinstance(data, dict) and is_unix_time(data.get("timestamp")):
                return True
    return False


@schemathesis.check
def wrong_events_are_rejected(ctx, response, case):
    """In place of negative_data_rejection, which knows no batch that is taken in part."""
    body = case.meta.components.get(ParameterLocation.BODY) if case.meta else None
    is_wrong = body and body.mode.is_negative and not has_unix_time(case.body)
    if is_wrong and response.status_code < 400:
        assert response.json()["rejected_total"] > 0, "a body against the schema was accepted in full"
