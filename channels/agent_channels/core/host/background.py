"""An agent host in the background: in a terminal of its own, which nobody looks at, with its output in a log file.

`start` makes a process that holds the terminal (`main`), so the host outlives the process that started it. A terminal,
because an interactive host refuses to run without one; our own instead of tmux's, which is not everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.private_files import OWNER_ONLY
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.text.sanitize import scrub

__all__ = ["HOST_LOG", "NOT_STARTED", "can_start", "last_lines", "log_size", "start"]

HOST_LOG = "host.log"
_OLDER = f"{HOST_LOG}.1"
BYTES_MAX = 1024 * 1024
NOT_STARTED = 127
"""The exit code if the program could not be started, as a shell's."""
_ROWS, _COLUMNS = 50, 160
_TAIL_BYTES = 16_384


def can_start() -> bool:
    """Return whether this system has terminals of the kind that is needed."""
    return os.name == "posix"


def start(
    command: Sequence[str], *, folder: Path, state_dir: Path, environ: Mapping[str, str], umask: int
) -> subprocess.Popen[bytes]:
    """Start a command in a folder, with its output in the log of a state folder; return the process that holds it.

    That one ends with the command's exit code. Raises OSError.
    """
    # -P: no module is taken from the folder, which a repository may have filled.
    holder = [sys.executable, "-P", "-m", __name__, str(state_dir), f"{umask:o}", *command]
    return subprocess.Popen(  # noqa: S603 - what the operator set
        holder,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def log_size(state_dir: Path) -> int:
    """Return how long a state folder's log of hosts is; 0 if there is none."""
    try:
        return (state_dir / HOST_LOG).stat().st_size
    except OSError:
        return 0


def last_lines(state_dir: Path, since: int, count: int) -> list[str]:
    """Return the last lines that hosts wrote after a position of the log, without what controls terminals."""
    try:
        with StateFolder.opened(state_dir) as folder:
            descriptor = folder.open_file(HOST_LOG, os.O_RDONLY)
            with os.fdopen(descriptor, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
    except (ConfigError, OSError):
        return []
    return [line for line in map(str.strip, scrub(text).splitlines()) if line][-count:]


class _HostLog:
    """The log file, which is renamed when it is full."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._file = self._open()

    def _open(self) -> int:
        return self._folder.open_file(HOST_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)

    def write(self, data: bytes) -> None:
        """Append what the host wrote; on a full disk it is lost, and the host goes on."""
        try:
            os.write(self._file, data)
            if os.fstat(self._file).st_size > BYTES_MAX:
                os.close(self._file)
                self._folder.rename_file(HOST_LOG, _OLDER)
                self._file = self._open()
        except OSError:
            return


def main(arguments: Sequence[str]) -> int:
    """Run a command in a new terminal until it ends; return its exit code. `arguments`: state folder, umask, command.

    Raises `ConfigError` or OSError.
    """
    import pty

    state_dir, umask, *command = arguments
    with StateFolder.opened(Path(state_dir)) as folder:
        folder.require_known()
        log = _HostLog(folder)
        pid, terminal = pty.fork()
        if pid == 0:
            _become(command, int(umask, 8))
        while data := _read(terminal):
            log.write(data)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _become(command: list[str], umask: int) -> None:
    """Take the command's shape; what stands in the way is written into its terminal."""
    import fcntl
    import signal
    import struct
    import termios

    try:
        # What started the keeper may ignore them, and so would what it starts; a closed terminal ends a host.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        os.umask(umask)
        os.execvp(command[0], command)  # noqa: S606 - what the operator set
    except BaseException as error:  # noqa: BLE001 - this process is the command's, and ends here
        os.write(2, f"{command[0]}: {error}\n".encode("utf-8", "replace"))
        os._exit(NOT_STARTED)


def _read(terminal: int) -> bytes:
    """Return what was written into a terminal; nothing once nobody has it open any more."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
