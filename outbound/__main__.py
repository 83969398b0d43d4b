"""`python -m outbound`, and the program of the Flex Template.

A separate module, so that the workers find the steps of the pipeline by name, not in `__main__`.
"""

from __future__ import annotations

from outbound.pipeline import main

if __name__ == "__main__":
    main()
