"""Feeds and asks monitors from Python:

    python feed.py publish < events.ndjson     one event to a line
    python feed.py status MODEL                as JSON
    python feed.py pause MODEL REASON          and resume, retrain, approve, reject, cancel, stop

TEMPORAL_ADDRESS and the like say where the cluster is, as for the temporal CLI."""

import asyncio
import getpass
import json
import os
import sys

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from publisher import MonitorStopped, Publisher, workflow_id


async def publish(client: Client) -> None:
    publisher = Publisher(client, interval=0.2, task_queue=os.environ.get("TASK_QUEUE") or "model-monitor")
    events = 0
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            event = json.loads(line)
            try:
                publisher.publish(event)
            except BufferError:  # read faster than sent
                await publisher.flush()
                publisher.publish(event)
            events += 1
    finally:
        async with asyncio.timeout(30):
            await publisher.close()
    print(f"published {events} events")


async def status(client: Client, model: str) -> None:
    print(json.dumps(await client.get_workflow_handle(workflow_id(model)).query("status")))


async def control(client: Client, update: str, model: str, reason: str) -> None:
    await client.get_workflow_handle(workflow_id(model)).execute_update(
        update, {"by": getpass.getuser(), "reason": reason})
    print(f"{update}: {model}")


async def main(command: str = "", *arguments: str) -> None:
    client = await Client.connect(**{"target_host": "localhost:7233", **ClientConfig.load_client_connect_config()})
    match command, *arguments:
        case ["publish"]:
            await publish(client)
        case ["status", model]:
            await status(client, model)
        case ["pause" | "resume" | "retrain" | "approve" | "reject" | "cancel" | "stop", model, reason]:
            await control(client, command, model, reason)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except WorkflowUpdateFailedError as refused:
        sys.exit(f"feed.py: {refused.cause}")
    except (MonitorStopped, RPCError, ValueError, BufferError, TimeoutError) as error:
        sys.exit(f"feed.py: {error}")
