"""Where rows go: NDJSON and Parquet files, buckets, the manifest."""
