"""A PostgreSQL server of one's own, as long as a test needs it."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

PASSWORD = "a secret of the test"


@contextmanager
def postgres() -> Iterator[Path]:
    """The directory of the socket of a new server with a user ``reader`` who needs :data:`PASSWORD`.

    Skips where PostgreSQL is not installed. The server refuses to run as root, so root starts it as `postgres`.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = programs[-1] if programs else shutil.which("postgres")
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    bin_ = Path(found).resolve().parent
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path is short
    try:
        if user:
            shutil.chown(folder, user)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)

        def do(program: str, *words: str) -> None:
            subprocess.run([bin_ / program, "-D", folder / "data", *words], check=True, user=user, cwd=folder,
                           stdout=subprocess.DEVNULL)  # fmt: skip

        do("initdb", "-U", "reader", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        do("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield folder
        finally:
            do("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def shared_postgres() -> Path:
    """One server for all tests of a process: the directory of its socket. Skips where PostgreSQL is not installed."""
    held = ExitStack()
    socket = held.enter_context(postgres())
    atexit.register(held.close)
    return socket
