"""BigQuery through its client: datasets, tables, jobs. Knows no Airflow."""
