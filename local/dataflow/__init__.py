"""Dataflow on a laptop: the part of its REST API that outbound exports use; each job is a Beam pipeline in a process.

`python -m local.dataflow --port P --root DIR` serves on 127.0.0.1. `jobs` holds the jobs and runs their pipelines,
`api` answers requests.
"""
