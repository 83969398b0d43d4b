"""The kinds of tasks: one module each, with its operator and the function that builds it."""
