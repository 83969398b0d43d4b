"""A check that runs in the triggerer: its imports and files.

On Composer, the triggerer is a separate machine without a `data/` folder and plugins
(https://cloud.google.com/composer/docs/composer-3/cloud-storage), so a check on a worker says nothing about it.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from typing import Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
from airflow.triggers.base import BaseTrigger, TriggerEvent


class PreflightTrigger(BaseTrigger):
    """Checks the triggerer, and returns its problems: `{"problems": ["…"]}`.

    If this class runs, the triggerer can import the modules of this package.

    Args:
        callback: the path of the function that Airflow calls in the triggerer when a run misses its deadline.
        connection: the Kubernetes connection of the pods; None if pods need none.
        config_dict: the content of a kubeconfig; None if the connection names the cluster.
    """

    def __init__(self, callback: str, connection: str | None, config_dict: dict[str, Any] | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.callback, self.connection, self.config_dict = callback, connection, config_dict

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return how the triggerer creates this trigger."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"callback": self.callback, "connection": self.connection, "config_dict": self.config_dict}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Check once."""
        problems = [problem for problem in (self._callback_problem(), await self._cluster_problem()) if problem]
        yield TriggerEvent({"problems": problems})  # type: ignore[no-untyped-call]

    def _callback_problem(self) -> str | None:
        module, _, name = self.callback.rpartition(".")
        try:
            getattr(importlib.import_module(module), name)
        except Exception as error:  # importing a module may raise anything
            return f"the triggerer can't import {self.callback}, so missed deadlines are not reported: {error}"
        return None

    async def _cluster_problem(self) -> str | None:
        if self.connection is None:
            return None
        hook = AsyncKubernetesHook(conn_id=self.connection, config_dict=self.config_dict)
        try:
            async with hook.get_conn():
                return None
        except Exception as error:  # of files, programs or formats
            return (
                f"the triggerer can't use the Kubernetes connection {self.connection!r}, so tasks can't wait for "
                f"their pods there: {error}. Give the connection `kube_config`, the content of a file, instead of "
                "`kube_config_path`, and install programs that it names on the triggerer"
            )
