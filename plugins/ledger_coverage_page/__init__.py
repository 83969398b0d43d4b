"""The app of the page *Ledger coverage*. It imports nothing of the DAGs: API servers may lack their folder."""
