"""One module per kind of task, with its operator and the function that builds it."""
