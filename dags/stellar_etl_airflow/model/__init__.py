"""The registry of tables, and the values that tasks exchange. Pure."""
