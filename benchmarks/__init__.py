"""What the performance claims rest on: `benchmarks/run.sh --help`."""
