"""Faults in the middle of a batch."""

from __future__ import annotations

import json
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import requests

from tests.faults.proxy import Request, Rule, respond
from tests.faults.stage import ALL, NAMESPACE, Batch
from tests.faults.traps import Break
from tests.waiting import PATIENCE, RUN_PATIENCE, wait_until


def kills(task_id: str, *signals: signal.Signals) -> Break:
    """Send signals to the task's process, SIGKILL by default; each further signal if the process still runs."""
    return lambda batch: batch.kill(task_id, *signals or (signal.SIGKILL,))


def loses_worker(task_id: str) -> Break:
    """Kill the task's process together with the worker that supervises it."""
    return lambda batch: batch.kill_worker(task_id)


def drains_worker(task_id: str) -> Break:
    """Send SIGTERM to the worker, as when a node is drained."""
    return lambda batch: batch.process(task_id).parent().terminate()  # type: ignore[union-attr]


def kills_service(name: str) -> Break:
    """Kill a service of the stack by kill -9."""
    return lambda batch: batch.stage.kill_service(name)


def pauses_service(name: str, seconds: float) -> Break:
    """Stop a service for some seconds: it does not answer, but accepts connections."""

    def break_(batch: Batch) -> None:
        process = batch.stage.service(name)
        members = [process, *process.children(recursive=True)]
        for each in members:
            each.suspend()

        def goes_on() -> None:
            for each in members:
                with suppress(psutil.NoSuchProcess):
                    each.resume()

        threading.Timer(seconds, goes_on).start()
        batch.to_mend.append(goes_on)

    return break_


def all_of(*breaks: Break) -> Break:
    """Break several things, one after the other."""

    def break_(batch: Batch) -> None:
        for each in breaks:
            each(batch)

    return break_


def sets_variable(key: str, value: str) -> Break:
    """Change an Airflow Variable, as a user does."""

    def break_(batch: Batch) -> None:
        before = batch.stage.stack.rest("GET", f"variables/{key}")["value"]
        batch.to_mend.append(lambda: batch.stage.set_variable(key, before))
        batch.stage.set_variable(key, value)

    return break_


def changes_dag(batch: Batch) -> None:
    """Deploy another version of the DAG while its run waits for a pool."""
    stage, path = batch.stage, "pools/write_history_ledgers"
    pool = stage.stack.rest("GET", path)

    def set_slots(slots: int) -> None:
        body = {"pool": pool["name"], "slots": slots}
        stage.stack.rest("PATCH", path, {**body, **{key: pool[key] for key in ("description", "include_deferred")}})

    def versions() -> int:
        return int(stage.stack.rest("GET", f"dags/{batch.dag_id}/dagVersions")["total_entries"])

    before, file = versions(), stage.dags / "quick_retries.py"
    set_slots(0)
    try:
        file.write_text(f'{file.read_text()}\n{batch.dag_id}.description = "{batch.run_id}"\n')
        wait_until(lambda: versions() > before, "Airflow has not read the DAG file again", RUN_PATIENCE, pause=0.5)
    finally:
        set_slots(pool["slots"])


# Pods ----------------------------------------------------------------------------------------------------------------


def does_to_pod(fault: str) -> Break:
    """Apply a fault that pods have in a real cluster: `evict`, `out-of-memory`, `vanish`."""

    def break_(batch: Batch) -> None:
        stage = batch.stage
        (pod,) = stage.pods()
        url = f"http://127.0.0.1:{stage.port('cluster')}/control/pods/{pod.metadata.name}/{fault}"
        token = stage.stack.layout.token.read_text().strip()
        requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE).raise_for_status()

    return break_


def keeps_ended_pod(batch: Batch) -> None:
    """Let the API report from now on that the pod has failed, as in a cluster that has not removed it yet."""
    (pod,) = batch.stage.pods()
    seen = batch.stage.api.api_client.sanitize_for_serialization(pod)
    ended = {"terminated": {"exitCode": 143, "reason": "Error"}}
    containers = [status | {"ready": False, "state": ended} for status in seen["status"]["containerStatuses"]]
    seen["status"] |= {"phase": "Failed", "containerStatuses": containers}
    rule = Rule(rf"^GET .*/pods/{pod.metadata.name} *\n", respond(seen), times=1000)
    batch.stage.proxies["cluster"].rules.append(rule)


def kills_program(batch: Batch) -> None:
    """Kill the program in the pod by kill -9."""
    (pod,) = batch.stage.pods()
    batch.stage.container(pod).signal(signal.SIGKILL)


def doubles_pod(batch: Batch) -> None:
    """Add a second pod of the same task, as after a create request whose reply was lost."""
    (pod,) = batch.stage.pods()
    metadata = {"labels": pod.metadata.labels, "annotations": pod.metadata.annotations}
    spec = batch.stage.api.api_client.sanitize_for_serialization(pod.spec) | {"nodeName": None}
    batch.stage.api.create_namespaced_pod(
        NAMESPACE, {"metadata": metadata | {"name": f"{pod.metadata.name}-2"}, "spec": spec}
    )


def with_container(change: Callable[[dict[str, Any]], None]) -> Callable[[Request], Request]:
    """Return a request for a pod with another first container."""

    def pod(body: dict[str, Any]) -> dict[str, Any]:
        change(body["spec"]["containers"][0])
        return body

    return lambda request: request.with_json(pod)


def without_image(container: dict[str, Any]) -> None:
    container["image"] = "nobody.example/nothing:1"


def with_missing_secret(container: dict[str, Any]) -> None:
    """Let the pod wait for a missing secret."""
    reference = {"secretKeyRef": {"name": "late", "key": "value"}}
    container["env"] = [*container.get("env", []), {"name": "LATE", "valueFrom": reference}]


def makes_secret(batch: Batch) -> None:
    """Create the secret after a while."""

    def make() -> None:
        time.sleep(6)
        batch.stage.api.create_namespaced_secret(
            NAMESPACE, {"metadata": {"name": "late"}, "stringData": {"value": "x"}, "type": "Opaque"}
        )

    batch.to_mend.append(lambda: batch.stage.api.delete_namespaced_secret("late", NAMESPACE))
    threading.Thread(target=make, daemon=True).start()


def with_full_disk(container: dict[str, Any]) -> None:
    """Let the pod write no file above 512 bytes."""
    container["command"] = ["sh", "-c", 'ulimit -f 1; exec stellar-etl "$@"', *container["command"]]


# The bucket ----------------------------------------------------------------------------------------------------------


def objects(batch: Batch, ending: str) -> list[Any]:
    return [blob for blob in batch.objects() if blob.name.endswith(ending)]


def deletes_object(ending: str) -> Break:
    def break_(batch: Batch) -> None:
        for blob in objects(batch, ending):
            blob.delete()

    return break_


def rewrites_object(ending: str, change: Callable[[bytes], bytes]) -> Break:
    """Replace the content of an object."""

    def break_(batch: Batch) -> None:
        for blob in objects(batch, ending):
            blob.upload_from_string(change(blob.download_as_bytes()))

    return break_


def first_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without_last_row(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


# The warehouse -------------------------------------------------------------------------------------------------------


def staging_table(batch: Batch) -> str:
    (table,) = batch.stage.staging_tables()
    return f"datasets/stellar/tables/{table}"


def deletes_staging_table(batch: Batch) -> None:
    batch.stage.stack.bigquery("DELETE", staging_table(batch))


def deletes_published_table(batch: Batch) -> None:
    """Delete the table; the watermark excludes its ledgers once a coverage check has found them missing."""
    batch.stage.note("history_ledgers", ALL["start_ledger"], ALL["end_ledger"])
    batch.stage.stack.bigquery("DELETE", "datasets/stellar/tables/history_ledgers")


def replaces_staging_table(batch: Batch) -> None:
    """Replace the staging table by one with one column less."""
    path = staging_table(batch)
    table = batch.stage.stack.bigquery("GET", path)
    fields = [field for field in table["schema"]["fields"] if field["name"] != "base_fee"]
    batch.stage.stack.bigquery("DELETE", path)
    again = {"tableReference": table["tableReference"], "schema": {"fields": fields}}
    batch.stage.stack.bigquery("POST", "datasets/stellar/tables", again)


def adds_column(batch: Batch) -> None:
    """Add a column to the published table."""
    path = "datasets/stellar/tables/history_ledgers"
    fields = batch.stage.stack.bigquery("GET", path)["schema"]["fields"]
    if all(field["name"] != "note" for field in fields):
        note = {"name": "note", "type": "STRING", "mode": "NULLABLE"}
        batch.stage.stack.bigquery("PATCH", path, {"schema": {"fields": [*fields, note]}})


ENDLESS = """SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 60000)) AS a, UNNEST(GENERATE_ARRAY(1, 10000000)) AS b
WHERE a < b"""
BUSY = "jobs/busy-{run_id}"


def keeps_warehouse_busy(batch: Batch) -> None:
    """Run a query until it is cancelled: later jobs are pending until then."""
    _, job_id = BUSY.format(run_id=batch.run_id).split("/")
    configuration = {"query": {"query": ENDLESS, "useLegacySql": False}}
    batch.stage.stack.bigquery("POST", "jobs", {"jobReference": {"jobId": job_id}, "configuration": configuration})
    batch.to_mend.append(lambda: frees_warehouse(batch))


def frees_warehouse(batch: Batch) -> None:
    """Cancel the query, so that the jobs behind it run."""
    batch.stage.stack.bigquery("POST", f"{BUSY.format(run_id=batch.run_id)}/cancel")


def shortens_merges(seconds: int) -> Break:
    """Limit a merge to some seconds from the start of the wait for its job."""

    def break_(batch: Batch) -> None:
        stored = batch.stage.stack.rest("GET", "variables/task_timeout")["value"]
        batch.to_mend.append(lambda: batch.stage.set_variable("task_timeout", stored))
        shorter = json.loads(stored) | {"build_apply_gcs_changes_to_bq_task": seconds}
        batch.stage.set_variable("task_timeout", json.dumps(shorter))

    return break_


def failing(request: Request) -> Request:
    """Return a job with the same id that fails when it runs."""

    def job(body: dict[str, Any]) -> dict[str, Any]:
        body["configuration"]["query"] |= {"query": "SELECT ERROR('the backend failed')", "queryParameters": []}
        return body

    return request.with_json(job)


# The disk ------------------------------------------------------------------------------------------------------------


def fills_disk(service: str, seconds: float) -> Break:
    """Let a service write no file beyond its first bytes, for some seconds."""

    def break_(batch: Batch) -> None:
        process = batch.stage.service(service)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        process.rlimit(psutil.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))

        def frees() -> None:
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, unlimited)

        threading.Timer(seconds, frees).start()
        batch.to_mend.append(frees)

    return break_
