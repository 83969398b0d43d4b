"""Sources of ledgers: lakes, history archives, and their stores."""
