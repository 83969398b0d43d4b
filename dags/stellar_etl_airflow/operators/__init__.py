"""Common parts of operators: BigQuery jobs, pods, settings at run time, alerts, and defaults of DAGs."""
