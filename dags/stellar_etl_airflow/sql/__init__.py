"""SQL from the registry of tables: pure functions, no Airflow and no client."""
