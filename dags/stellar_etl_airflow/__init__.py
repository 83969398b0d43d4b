"""The task builders of the Stellar DAGs, and what they build on.

A DAG file knows builders; builders know `tables`, `settings` and `sql`; those three know no Airflow.
"""

VERSION = "0.1.0"
"""The project's version, as in pyproject.toml, which is not on Composer."""
