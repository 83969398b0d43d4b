"""Where ledgers come from: lakes, history archives, and the stores that hold them."""
