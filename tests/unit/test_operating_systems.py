"""Systems other than the one the tests run on: every use of what only some systems have, and what stands in for it.

What exists where is read from the type checker's own descriptions of the standard library, in which each name that
only some systems have stands under a test of `sys.platform`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mypy
import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "channels" / "agent_channels"
SOURCES = sorted(PACKAGE.rglob("*.py"))
STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
SYSTEMS = ("linux", "darwin", "win32")
# Whose names are looked up in the descriptions. Of asyncio, what depends on the loop is named by hand below.
MODULES = ("os", "signal", "socket", "select", "time", "mmap", "sys", "shutil", "subprocess", "asyncio")
WHOLE = {"fcntl", "pwd", "grp", "termios", "tty", "pty", "resource", "syslog", "msvcrt", "winreg", "_winapi", "posix"}
# There everywhere, and not the same everywhere.
DIFFERENT = {
    "os.kill": "Windows ends the process, whatever the signal",
    "os.execv": "Windows starts another process, and the caller's parent sees this one end",
    "os.execve": "as os.execv",
    "os.chmod": "Windows knows only the read-only bit",
    "chmod": "as os.chmod",
    "add_signal_handler": "Windows' loops have none",
    "create_pipe_connection": "only Windows' loop has it",
    "start_new_session": "Windows ignores it",
    "creationflags": "only Windows has it",
    "set_event_loop_policy": "Windows' loops differ in what they can do",
    "SIGKILL": "Windows has none",
    "/proc": "only Linux has it",
    "/bin/": "Windows has none",
    "/etc/": "Windows has none",
    "/tmp": "Windows has none, and macOS uses another",  # noqa: S108 - a name to look for
}
CHECKS = ("os.name", "sys.platform", "hasattr(")
# Reviewed: what is used with no check around it, and what stands in for it where it is not there.
REVIEWED = {
    (
        "hooks/event.py",
        "os.kill",
    ): "_pid is None but on posix; elsewhere a parent that changed tells that the host went",
    ("core/settings/paths.py", "os.geteuid"): "os.name is asked first; on Windows the folder's list of rights decides",
    ("core/settings/state_folder.py", "os.geteuid"): "_POSIX is asked first, as in paths.py",
    ("core/settings/state_folder.py", "os.O_DIRECTORY"): "_POSIX is asked first; without, links are looked for by path",
    ("core/settings/state_folder.py", "os.O_NOFOLLOW"): "as os.O_DIRECTORY there",
    ("core/settings/state_folder.py", "os.O_NONBLOCK"): "as os.O_DIRECTORY there",
    ("core/settings/state_folder.py", "chmod"): "_POSIX is asked first; on Windows the folder's list of rights decides",
    ("core/settings/watchers.py", "os.mkfifo"): "joined asks for the system first; on Windows one looks more often",
    ("core/doctor/host.py", "/proc"): "not there: an OSError, and the check says nothing of the process's environment",
    (
        "core/files/storage.py",
        "chmod",
    ): "0600 leaves a file writable; on Windows the folder's list of rights keeps it private",
    ("core/store/steady_clock.py", "/proc"): "not there: an OSError, and each process counts for itself",
    ("core/host/process.py", "/proc"): "whether it is there is asked first; else ps, where that is",
    (
        "core/host/process.py",
        "/bin/",
    ): "after /proc: macOS has it; on Windows an OSError, and other signs of the host decide",
    ("core/host/config_files.py", "/etc/"): "chosen by sys.platform: macOS and Windows have rows of their own",
    ("core/file_lock.py", "fcntl"): "sys.platform is asked first: Windows has a library's lock",
    ("core/file_lock.py", "os.O_NOFOLLOW"): "as fcntl there",
    ("core/file_lock.py", "os.O_NONBLOCK"): "as fcntl there",
    ("core/server/stdin.py", "select.poll"): "asked by the handshake's thread, which is there only with select.poll",
    ("core/server/stdin.py", "select.POLLIN"): "as select.poll there",
    ("core/server/output.py", "select.POLLOUT"): "after select.poll, which is asked for by sys.platform",
    ("core/server/output.py", "select.PIPE_BUF"): "as select.POLLOUT there",
    ("core/server/output.py", "socket.MSG_DONTWAIT"): "a socket for stdout, which Windows' hosts do not have",
    ("core/server/supervisor.py", "os.fork"): "sys.platform is asked first: Windows' server has no supervisor",
    ("core/server/supervisor.py", "os.WNOHANG"): "as os.fork there",
    ("core/server/supervisor.py", "os.kill"): "as os.fork there",
    ("core/server/supervisor.py", "select.POLLERR"): "as os.fork there",
    ("core/server/supervisor.py", "select.POLLHUP"): "as os.fork there",
    ("core/server/supervisor.py", "select.POLLIN"): "as os.fork there",
    ("core/server/supervisor.py", "select.POLLOUT"): "as os.fork there",
    ("core/server/supervisor.py", "select.poll"): "as os.fork there",
    ("core/server/supervisor.py", "signal.SIGCHLD"): "as os.fork there",
    ("core/server/supervisor.py", "signal.SIGKILL"): "as os.fork there",
    (
        "core/files/transcribe.py",
        "start_new_session",
    ): "ignored on Windows, where the command alone is ended, not what it started",
    (
        "core/host/background.py",
        "pty",
    ): "`can_start` asks for os.name first: elsewhere nothing is started from the chat",
    ("core/host/background.py", "fcntl"): "as pty there",
    ("core/host/background.py", "termios"): "as pty there",
    ("core/host/background.py", "start_new_session"): "as pty there",
    ("core/host/background.py", "signal.SIGHUP"): "as pty there",
    ("core/host/background.py", "signal.SIGQUIT"): "as pty there",
    ("cli/hub_keep.py", "signal.SIGHUP"): "sys.platform is asked before; on Windows an interruption ends the process",
    (
        "core/hub/wakeups.py",
        "socket.AF_UNIX",
    ): "hasattr is asked before `_receive`; without, the project looks for itself every few seconds",
    ("core/host/inbox_socket.py", "create_pipe_connection"): "called on nt only, whose default loop has it",
    ("page/serving.py", "add_signal_handler"): "NotImplementedError is expected; Ctrl-C works without",
}


# ---- what exists where


def _holds(test: ast.expr, system: str) -> bool | None:
    """What a test of `sys.platform` says on a system; None for any other test."""
    if isinstance(test, ast.BoolOp):
        found = [_holds(value, system) for value in test.values]
        known = [value for value in found if value is not None]
        if isinstance(test.op, ast.And):
            return False if False in known else (True if len(known) == len(found) else None)
        return True if True in known else (False if len(known) == len(found) else None)
    if not (isinstance(test, ast.Compare) and ast.unparse(test.left) == "sys.platform"):
        return None
    named = ast.literal_eval(test.comparators[0])
    same = system in named if isinstance(named, tuple) else system == named
    return same if isinstance(test.ops[0], (ast.Eq, ast.In)) else not same


def _names(body: list[ast.stmt], system: str) -> Iterator[str]:
    """The names that a description defines on a system, those of classes left out."""
    for node in body:
        if isinstance(node, ast.If):
            holds = _holds(node.test, system)
            if holds is not False:
                yield from _names(node.body, system)
            if holds is not True:
                yield from _names(node.orelse, system)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from (alias.asname or alias.name for alias in node.names)


@cache
def partial_names(module: str) -> frozenset[str]:
    """The names of a module that only some of the systems have."""
    path = STUBS / f"{module}.pyi"
    paths = [path] if path.exists() else sorted((STUBS / module).glob("*.pyi"))
    there = [
        {name for file in paths for name in _names(ast.parse(file.read_text()).body, system)} for system in SYSTEMS
    ]
    return frozenset(set.union(*there) - set.intersection(*there))


# ---- what is used


def uses(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every use of something that only some systems have, or have otherwise: the node and what it is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node, name) for name in named if name.split(".")[0] in WHOLE)
        elif isinstance(node, ast.Attribute):
            full = ast.unparse(node)
            module, _, name = full.rpartition(".")
            if (module in MODULES and name in partial_names(module)) or full in DIFFERENT:
                yield node, full
            elif node.attr in DIFFERENT:
                yield node, node.attr
        elif isinstance(node, ast.keyword) and node.arg in DIFFERENT:
            yield node.value, node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node, name) for name in DIFFERENT if name.startswith("/") and node.value.startswith(name))


def unchecked(path: Path) -> set[str]:
    """What a file uses with no check of the system around it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = set()
    for node, name in uses(tree):
        above = node
        checked = False
        while above in parents and not checked:
            above = parents[above]
            checked = isinstance(above, ast.If | ast.IfExp) and any(c in ast.unparse(above.test) for c in CHECKS)
        if not checked:
            found.add(name)
    return found


def test_nothing_is_used_that_is_not_everywhere() -> None:
    """Each such use stands behind a check of the system, or is reviewed with what stands in for it."""
    found = {(path.relative_to(PACKAGE).as_posix(), use) for path in SOURCES for use in unchecked(path)}
    assert found == set(REVIEWED)


def test_the_descriptions_know_what_is_where() -> None:
    """So that the test above cannot be empty: known names are found, those that are everywhere are not."""
    assert {"fork", "killpg", "geteuid", "O_CLOEXEC", "getuid", "startfile"} <= partial_names("os")
    assert {"SIGHUP", "SIGKILL", "CTRL_C_EVENT", "setitimer"} <= partial_names("signal")
    assert {"AF_UNIX", "SO_REUSEPORT"} <= partial_names("socket")
    assert {"poll", "epoll", "kqueue"} <= partial_names("select")
    assert {"open_unix_connection", "start_unix_server"} <= partial_names("asyncio")
    assert not {"getpid", "open", "replace", "getppid", "environ"} & partial_names("os")
    assert not {"SIGINT", "SIGTERM", "signal", "set_wakeup_fd"} & partial_names("signal")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.fork()",
        "import os\nif True:\n    os.geteuid()",
        "import fcntl",
        "import os, signal\nos.kill(1, signal.SIGKILL)",
        "def f(path):\n    path.chmod(0)",
        "import asyncio\nasyncio.open_unix_connection('x')",
        "import socket\nsocket.AF_UNIX",
        "import subprocess\nsubprocess.Popen('x', start_new_session=True)",
        "open('/proc/self/stat')",
        "from pwd import getpwnam",
    ],
)
def test_a_use_is_seen(source: str, tmp_path: Path) -> None:
    """Without a check it is found; behind one it is not."""
    path = tmp_path / "one.py"
    path.write_text(source)
    assert unchecked(path)
    first, *rest = source.split("\n")
    behind = "\n".join(f"    {line}" for line in ([first, *rest]))
    path.write_text(f"import os\nif os.name == 'posix':\n{behind}")
    assert unchecked(path) == set()
