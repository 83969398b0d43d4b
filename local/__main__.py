"""The laptop stack's command line: `python -m local COMMAND`."""

from __future__ import annotations

import sys

try:
    from local.commands import main
except ModuleNotFoundError as error:
    sys.exit(
        f"python -m local: the package {error.name} is missing. Run it in the virtual environment: "
        "source .venv/bin/activate (./run_local.sh creates it)"
    )

if __name__ == "__main__":
    sys.exit(main())
