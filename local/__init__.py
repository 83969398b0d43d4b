"""The laptop stack: emulators, pods as processes, the sample network, start and stop. Independent of the DAGs."""

import sys
from pathlib import Path

# The registry of tables and the reports: `python -m local` needs no PYTHONPATH.
sys.path.append(str(Path(__file__).resolve().parents[1] / "dags"))
