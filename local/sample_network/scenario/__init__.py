"""Who does what: stories that show every operation, its failures included, and the everyday traffic around them."""
