"""The exporter: reads the network's ledgers from a lake and writes them as rows. Knows no Airflow and no BigQuery."""

__version__ = "0.1.0"
