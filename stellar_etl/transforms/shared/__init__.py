"""What several tables have in common: values as they stand in rows, changes, events, contracts."""
