"""Serves "predictions" and records them with the OpenTelemetry SDK:

    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:8080   modelvigil gateway
    export OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta
    echo "0.93 84" | python record.py fraud v7                 accuracy and milliseconds to a line"""

import sys

from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource


def main(model: str, version: str) -> None:
    provider = MeterProvider(
        [PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=5_000)],
        Resource.create({"service.name": "checkout"}))
    metrics.set_meter_provider(provider)
    meter = metrics.get_meter("serving")
    accuracy = meter.create_gauge("accuracy")  # the last value of each interval is exported
    latency = meter.create_histogram("latency_ms", unit="ms")
    requests = meter.create_counter("requests")  # names no model: the gateway leaves it out

    watched = {"model_name": model, "model_version": version}
    for line in sys.stdin:
        share, milliseconds = map(float, line.split())
        accuracy.set(share, watched)
        latency.record(milliseconds, watched)
        requests.add(1)
    provider.shutdown()  # exports what is left


if __name__ == "__main__":
    main(*sys.argv[1:])
