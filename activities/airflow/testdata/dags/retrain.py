"""Retrains the model of a decision: a whole DAG for modelvigil's airflow backend."""

import time

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, max_active_runs=4, tags=["modelvigil"])
def retrain():
    @task(multiple_outputs=True)  # each field is an XCom of its own
    def train() -> dict:
        decision = get_current_context()["dag_run"].conf  # the retraining request
        params = decision.get("params", {})  # the policy's retraining.params
        print(f"retraining {decision['model_name']} for {decision['reason']}")
        time.sleep(params.get("seconds", 0))  # your training
        if "fail" in params:
            raise RuntimeError(params["fail"])  # its text is in the monitor's status
        # The same request gives the same version, should Airflow retry this task.
        number = decision["request_id"].rsplit("/", 1)[-1]
        return {"model_version": f"{decision.get('model_version', 'v0')}-retrained-{number}"}

    @task
    def deploy(version: str):
        print(f"{version} serves now")

    deploy(train()["model_version"])


retrain()
