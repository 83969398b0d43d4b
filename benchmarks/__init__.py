"""The benchmarks behind the performance claims: `benchmarks/run.sh --help`."""
