"""`python -m stellar_etl` is `stellar-etl`."""

from stellar_etl.cli import main

main()
