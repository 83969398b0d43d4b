"""Runs the DAGs once against the real BigQuery and Cloud Storage, checks the results, and deletes everything.

Airflow and the pods run on this machine: `airflow dags test` runs each DAG, and the local cluster runs pods as
processes. Only BigQuery and Cloud Storage are Google's. With the addresses of the stand-ins in the environment
(`BIGQUERY_EMULATOR_HOST` and `STORAGE_EMULATOR_HOST`) the same steps run against them.

`options` reads the command line, `cloud` creates and deletes the dataset and the bucket, `ledgers` prepares the
ledgers, `runner` runs DAGs, `jobs` checks BigQuery's jobs, and `steps` lists the steps.
"""
