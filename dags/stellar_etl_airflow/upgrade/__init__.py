"""Bring a deployment with data from any earlier release to this one: `python -m stellar_etl_airflow.upgrade`.

`deployment` is what a step reads and changes, `steps` the registry of steps, `__main__` the command. A dry run unless
`--go` is given. Each step looks at what is there and returns what it would change, so that it can be repeated: after a
step nothing is left to change. Values that users set stay. Docs: `docs/production.md`.
"""
