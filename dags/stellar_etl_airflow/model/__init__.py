"""The registry of tables, and the values that everything else works with. Pure."""
