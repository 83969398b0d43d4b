"""Sets up Google Cloud for the DAGs: looks at what is there, makes what is missing, changes what differs.

Standard output is a shell script: what is done, command by command, under a comment for each step. Nothing is made
before everything that can be looked at is in order: programs, permissions, names, places and the Variables.

`options` reads the command line, `wanted` says what there shall be, `cloud` runs the programs. `project`, `data`,
`cluster` and `composer` each have the problems and the steps of one part of Google Cloud, and `steps` their order.
"""
