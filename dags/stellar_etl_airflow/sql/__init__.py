"""SQL statements as pure functions of the registry, without Airflow and without a client."""
