"""The package of the Stellar DAGs: the kinds of tasks, and their parts.

A DAG file imports `tasks`; tasks import `operators`; operators import `bigquery` and `export`; these import `settings`,
`sql` and `model`, in that order. `docs/architecture.md` describes each package.
"""

import gc

# Airflow forks a process for each DAG file and each task. Without this call, Python's garbage collector visits all
# objects that the process inherited, and the kernel copies their memory.
gc.freeze()

VERSION = "0.1.0"
"""The project's version, as in pyproject.toml, which is not on Composer."""
