"""Operate a deployment from outside: Airflow's REST API, and reports on loaded ledgers."""
