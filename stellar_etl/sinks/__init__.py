"""Destinations of rows: NDJSON and Parquet files, buckets, the manifest."""
