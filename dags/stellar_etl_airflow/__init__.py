"""The Stellar DAGs' package: the kinds of tasks, and what they are made of.

A DAG file imports `tasks`; tasks import `operators`; operators import `bigquery` and `export`; these import `settings`,
`sql` and `model`, in that order. `docs/architecture.md` says what each package holds.
"""

VERSION = "0.1.0"
"""The project's version, as in pyproject.toml, which is not on Composer."""
