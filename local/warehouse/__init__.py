"""BigQuery on a laptop: bqemulator, corrected where this project relies on BigQuery's behaviour.

``python -m local.warehouse --port P --data-dir D --gcs-root G`` serves BigQuery's REST API on 127.0.0.1,
keeps its tables in ``D`` and loads ``gs://bucket/object`` from ``G/bucket/object``.
:mod:`local.warehouse.corrections` lists what is corrected, and why.
"""
