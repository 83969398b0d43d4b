"""The worker of outbound exports: sends batches of rows to another system, on Apache Beam.

Runs in its own image (`outbound/Dockerfile`) on Dataflow, and as processes on a laptop. It shares with the DAGs only
the options of its command line, the Parquet files of the batches, and the receipts. It depends on neither Airflow nor
BigQuery; its packages are locked in `requirements/outbound.txt`.
"""
