"""BigQuery through its client: datasets, tables and jobs. Independent of Airflow."""
