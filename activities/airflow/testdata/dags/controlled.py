"""DAGs whose runs end when and how a test tells them, by a file named for the run."""

import json
import os
import time
from pathlib import Path

from airflow.sdk import dag, get_current_context, task

ANSWERS = Path(os.environ["MODELVIGIL_ANSWERS"])


def answer() -> dict:
    file = ANSWERS / get_current_context()["dag_run"].run_id
    while not file.exists():
        if not ANSWERS.is_dir():
            raise SystemExit("the test is over")
        time.sleep(0.1)
    told = json.loads(file.read_text())
    if "error" in told:
        raise RuntimeError(told["error"])
    return told


def controlled(dag_id: str, **kwargs):
    @dag(dag_id=dag_id, schedule=None, catchup=False, max_active_runs=100, **kwargs)
    def controlled():
        task(answer, task_id="train", multiple_outputs=True)()

    controlled()


controlled("controlled")
controlled("paused", is_paused_upon_creation=True)


@dag(schedule=None, catchup=False, max_active_runs=100)
def chain():
    """Two models trained side by side, and a task that waits for both."""

    @task
    def train(part: int):
        told = answer()
        get_current_context()["ti"].xcom_push("model_version", told["model_version"] + part)

    @task(task_id="deploy")
    def deploy():
        pass

    train.expand(part=[0, 1]) >> deploy()


chain()
