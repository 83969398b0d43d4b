"""Sets up Google Cloud for the DAGs: reads the current state, creates what is missing, changes what differs.

Standard output is a shell script: the commands, with a comment for each step. Nothing is created before all checks
pass: programs, permissions, names, locations and the Variables.

`options` reads the command line, `wanted` has the wanted state, `cloud` runs the programs. `project`, `data`,
`cluster` and `composer` each have the problems and the steps of one part of Google Cloud, and `steps` their order.
"""
