"""Upgrade a deployment with data from any earlier release to this one: `python -m stellar_etl_airflow.upgrade`.

`deployment` is the object that steps read and change, `steps` the registry of steps, `__main__` the command. It is a
dry run unless `--go` is given. Each step checks the current state and returns its changes, so that it can be repeated:
after a step, no changes are left. Values that users set are kept. Docs: `docs/production.md`.
"""
