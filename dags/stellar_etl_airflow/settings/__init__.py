"""The Airflow Variables as typed models, read by the task that needs them."""
