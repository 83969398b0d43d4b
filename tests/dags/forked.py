"""Work in a forked process, as Airflow's DAG processor does it for each file. The programs beside it import it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any


def in_fork(work: Callable[[], Any]) -> Any:
    """Return the result of some work in a child process, which must fit into JSON."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            found = work()
        except BaseException as error:
            found = {"errors": {"fork": repr(error)}}
        with os.fdopen(writer, "w") as file:
            json.dump(found, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.wait()
    return json.loads(text)
