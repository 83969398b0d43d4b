"""The change of Airflow's own code on a laptop, in the scheduler: its executor forks the supervisors of tasks."""

from __future__ import annotations

from contextlib import suppress
from socket import socket

from airflow.sdk.execution_time import supervisor


def notice_ended_tasks() -> None:
    """Let a task's supervisor notice at once that its task has ended.

    It waits for events of the task's sockets. When a task ends, the kernel closes its sockets before it reports the
    process as ended: a supervisor that looks in between sees a living process without sockets, and waits for the next
    heartbeat (`[workers] min_heartbeat_interval`, 5 s). With 3.3.2 on two processors this happened to so many tasks
    that the executor's four places were empty for half of the main job.
    https://github.com/apache/airflow/blob/3.3.2/task-sdk/src/airflow/sdk/execution_time/supervisor.py

    Raises:
        AttributeError: Airflow's supervisor lacks the method to replace.
    """
    original = supervisor.WatchedSubprocess._on_socket_closed

    def closed(self: supervisor.WatchedSubprocess, sock: socket) -> None:
        original(self, sock)
        if not self._open_sockets:
            with suppress(self._process.TimeoutExpired, self._process.ProcessNotFound):
                self._process.wait(timeout=supervisor.MIN_HEARTBEAT_INTERVAL)

    supervisor.WatchedSubprocess._on_socket_closed = closed  # type: ignore[method-assign]
