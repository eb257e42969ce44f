"""A PostgreSQL cluster of the tests' own: one for each test process, in a temporary folder, on a port of loopback."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg
import pytest

__all__ = ["Cluster", "running_cluster"]

USER = "tests"
# Who the server runs as when the tests are root's: initdb refuses root, and the package makes this user.
SERVICE_USER = "postgres"


class Cluster:
    """A running server. Every test makes a schema, or a database, of its own in it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.log: list[str] = []
        """What it wrote to its log since it was ready."""
        self._numbers = itertools.count(1)

    def url(self, name: str, port: int | None = None) -> str:
        """The address of a database, or of a schema, through another port if a gate stands before it."""
        where = f"postgres?options=-csearch_path%3D{name}" if name.startswith("schema") else name
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{where}"

    def create(self) -> str:
        """Makes an empty schema, which is as good as a database and made at once; returns its name."""
        name = f"schema_{next(self._numbers)}"
        self.execute("postgres", f"CREATE SCHEMA {name}")
        return name

    def create_database(self, encoding: str = "UTF8") -> str:
        """Makes an empty database; returns its name."""
        name = f"hub_{next(self._numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        return name

    def execute(self, name: str, sql: str) -> list[tuple[object, ...]]:
        """Executes a statement beside the program; returns its rows."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def running_cluster(**options: object) -> Iterator[Cluster]:
    """A cluster from its making to its end; skips the test where no PostgreSQL is installed."""
    tools = _tools()
    if tools is None:
        pytest.skip("there is no PostgreSQL here: `apt-get install postgresql` brings one")
    user = SERVICE_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="channels-pg-") as name:
        folder, data = Path(name), Path(name) / "data"
        if user:
            shutil.chown(folder, user)
        _run([tools / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], user)
        port = _free_port()
        options = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "max_connections": 200, "shared_buffers": "16MB", **options,
        }  # fmt: skip
        command = [tools / "postgres", "-D", data]
        for option, value in options.items():
            command += ["-c", f"{option}={value}"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, **_as(user), text=True
        )
        try:
            assert process.stderr is not None
            cluster = Cluster(port)
            _wait_until_ready(process.stderr, cluster.log)
            yield cluster
        finally:
            # "Immediate": nobody needs what is in it any more.
            process.send_signal(signal.SIGQUIT)
            process.wait(30)
            if process.stderr is not None:
                process.stderr.close()


def _wait_until_ready(log: IO[str], rest: list[str]) -> None:
    lines = []
    for line in log:
        lines.append(line)
        if "ready to accept connections" in line:
            # Read on, or the server blocks on a full pipe.
            threading.Thread(target=_drain, args=(log, rest), daemon=True).start()
            return
    raise AssertionError("PostgreSQL did not start:\n" + "".join(lines))


def _drain(log: IO[str], into: list[str]) -> None:
    with contextlib.suppress(ValueError, OSError):
        into.extend(log)


def _tools() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    # As Fedora, Homebrew and others install it.
    return Path(path).parent if (path := shutil.which("initdb")) and shutil.which("postgres") else None


def _as(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _run(command: list[str | Path], user: str | None) -> None:
    ran = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd="/", **_as(user)
    )  # type: ignore[call-overload]
    assert ran.returncode == 0, ran.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
