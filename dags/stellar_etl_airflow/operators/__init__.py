"""What operators have in common: BigQuery jobs, pods, settings at run time, alerts, defaults of DAGs."""
