"""Code that several tables share: values of rows, changes, events, contracts."""
