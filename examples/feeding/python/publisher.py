"""Metric events to modelvigil's monitors over the plain Temporal SDK: copy this file.

Each serving process has one Publisher. It collects events and sends those of a
model as one signal, because a monitor takes about 5 signals a second."""

import asyncio
import json
import logging
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode as Code

MAX_BATCH = 1_000  # events of a signal: a monitor reads 10,000, the server takes 2 MB
MAX_WAITING = 100_000  # events of a model while the server is away
UNQUOTED = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) != "%")
PASSING = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.ABORTED,
           Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN}


def workflow_id(model: str) -> str:
    """The id of a model's monitor; bytes outside 0x21..0x7E, and %, are percent-encoded."""
    return "model-monitor/" + quote(model, safe=UNQUOTED)


class MonitorStopped(Exception):
    """An operator has stopped the model's monitor; only `modelvigil apply` starts it anew."""


class Publisher:
    """Sends a model's events at most once per `interval` seconds: with n processes
    that serve one model, n / 5 or more. Make it where an event loop runs."""

    def __init__(self, client: Client, interval: float = 1.0, task_queue: str = "model-monitor"):
        self._client, self._interval, self._task_queue = client, interval, task_queue
        self._waiting: dict[str, list[dict]] = {}  # by model
        self._failures: list[Exception] = []  # that the next flush raises
        self._turn, self._next = asyncio.Lock(), 0.0  # when the next signals may go
        self._runner = asyncio.create_task(self._run())

    def publish(self, event: dict) -> None:
        """Takes an event, which is sent within the interval. Raises what makes no sense of it,
        and BufferError when too many wait for a server that is away."""
        json.dumps(event, allow_nan=False)  # one NaN would spoil the signal
        waiting = self._waiting.setdefault(event["model_name"], [])
        if len(waiting) >= MAX_WAITING:
            raise BufferError(f"{len(waiting)} events of {event['model_name']} wait to be sent")
        waiting.append({"timestamp": datetime.now(timezone.utc).isoformat(), **event})

    async def flush(self) -> None:
        """Returns when all that was published is durable, or raises why some of it is lost.
        A server that is away is waited for: bound it with asyncio.timeout."""
        while self._waiting:
            await self._send_all()
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    async def close(self) -> None:
        """Flushes, and ends the task."""
        try:
            await self.flush()
        finally:
            self._runner.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._send_all()

    async def _send_all(self) -> None:
        async with self._turn:  # one signal a model at a time keeps the order
            clock = asyncio.get_running_loop().time
            await asyncio.sleep(self._next - clock())
            self._next = clock() + self._interval
            await asyncio.gather(*(self._send(model) for model in list(self._waiting)))

    async def _send(self, model: str) -> None:
        batch = self._waiting[model][:MAX_BATCH]
        try:
            await self._client.start_workflow(
                "MonitorWorkflow", {"model_name": model}, id=workflow_id(model), task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                start_signal="metric", start_signal_args=[batch],
                static_summary=f"Watches model {model[:60]}", rpc_timeout=timedelta(seconds=10))
        except WorkflowAlreadyStartedError:
            self._give_up(model, batch, MonitorStopped(f"monitor stopped: {model}; `modelvigil apply` starts it anew"))
        except RPCError as error:
            # A signal whose answer was lost is sent again, and may count twice.
            if error.status in PASSING or "workflow execution limit for signal" in str(error):
                logging.warning("%d events of %s wait: %s", len(self._waiting[model]), model, error)
                return
            self._give_up(model, batch, error)
        del self._waiting[model][: len(batch)]
        if not self._waiting[model]:
            del self._waiting[model]

    def _give_up(self, model: str, batch: list[dict], error: Exception) -> None:
        logging.error("%d events of %s are lost: %s", len(batch), model, error)
        self._failures.append(error)
