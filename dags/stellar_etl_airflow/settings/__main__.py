"""`python -m stellar_etl_airflow.settings`."""

from __future__ import annotations

import sys

from stellar_etl_airflow.settings.environments import main

sys.exit(main())
