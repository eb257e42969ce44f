"""Starts `channels` for the plugin: run.py [--data FOLDER] VERB ...

A clone that was set up as the README says is used as it is. Else an environment of the plugin's own is made in
FOLDER (default: $CLAUDE_PLUGIN_DATA), once for each state of the program's source; from then on it starts without a
network. Hooks never install: until a server has, they do nothing.

Only the standard library, in words that any Python 3.8 can read: what a machine calls python3 may be old. Hosts run it
at every turn, so what only an installation needs is imported by it.
"""

import hashlib
import os
import sys
from pathlib import Path

NEEDS = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
SCRIPTS, SUFFIX = ("Scripts", ".exe") if WINDOWS else ("bin", "")


def main(argv):
    """Runs a verb; returns its exit code where the system cannot put another program in a process's place."""
    data, argv = _data(argv)
    if argv[:1] == ["--install"]:
        return install(data)
    program = _of_clone() or _made(data)
    if program is None and argv[:1] == ["hook"]:
        return _not_yet(argv, data)
    if program is None:
        program = _installed(data)
    if program is None:
        return 1
    command = [str(program), *argv]
    if not WINDOWS:
        os.execv(command[0], command)
    # There, putting a program in this one's place would give it another process id, and the host would see us end.
    import subprocess

    return subprocess.call(command)


def _not_yet(argv, data):
    """A hook before anything is installed: no effect, but a session that begins is told why it has no channels."""
    if argv[1:] == ["session"] and data is not None:
        import json

        log = data / "install.log"
        told = f"Agent Channels installs itself, once, which may take a minute ({log}). Then choose Reconnect in /mcp."
        print(json.dumps({"systemMessage": told}))
    return 0


def _data(argv):
    if argv[:1] == ["--data"]:
        return Path(argv[1]), argv[2:]
    named = os.environ.get("CLAUDE_PLUGIN_DATA")
    return (Path(named) if named else None), argv


def _of_clone():
    """The program of the clone's own environment; one that was copied along from elsewhere does not count."""
    program = ROOT / ".venv" / SCRIPTS / ("channels" + SUFFIX)
    try:
        first = program.open("rb").readline(1024).decode("utf-8", "replace")
    except OSError:
        return None
    return program if WINDOWS or first[2:].strip().startswith(str(ROOT / ".venv")) else None


def _made(data):
    """The program in the environment made for this source; None as long as there is none."""
    if data is None or not (data / _stamp() / "ready").exists():
        return None
    return data / _stamp() / SCRIPTS / ("channels" + SUFFIX)


def _stamp():
    """Names a state of the source, without reading it."""
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt", *sorted((ROOT / "channels").rglob("*.py"))]
    seen = hashlib.sha256(str(ROOT).encode())
    for path in files:
        found = path.stat()
        seen.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return "env-" + seen.hexdigest()[:16]


def _installed(data):
    if data is None:
        print("channels: name the plugin's data folder with --data, or set CLAUDE_PLUGIN_DATA", file=sys.stderr)
        return None
    import subprocess

    data.mkdir(parents=True, exist_ok=True)
    log = data / "install.log"
    print(f"channels: installing into {data}, once; {log} says how it goes", file=sys.stderr, flush=True)
    # A host that grows tired of waiting ends this process; the installation goes on, and the next start finds it.
    apart = {"creationflags": 0x00000208} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as out:
        command = [sys.executable, str(Path(__file__).resolve()), "--data", str(data), "--install"]
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **apart)
    if code:
        print(f"channels: the installation failed; {log} says why", file=sys.stderr)
    return _made(data)


def install(data):
    """Makes the environment; beside another installation, waits for that one. Returns the exit code."""
    import subprocess

    with (data / "install.lock").open("ab") as lock:
        _hold(lock)
        if _made(data):
            return 0
        python = _python()
        if python is None:
            print(f"no Python {NEEDS[0]}.{NEEDS[1]} or newer was found; name one in the plugin's settings")
            return 1
        folder = data / _stamp()
        _tidy(data, folder)
        pip = [str(folder / SCRIPTS / ("python" + SUFFIX)), "-m", "pip", "--disable-pip-version-check", "install"]
        for command in ([python, "-m", "venv", str(folder)], [*pip, "-c", str(ROOT / "constraints.txt"), str(ROOT)]):
            code = subprocess.call(command)
            if code:
                return code
        (folder / "ready").touch()
        return 0


def _tidy(data, folder):
    """Takes away what an installation left half done, and older states but the last, which may still be running."""
    import shutil

    others = sorted((env for env in data.glob("env-*") if env != folder), key=lambda env: env.stat().st_mtime)
    for old in [folder, *others[:-1]]:
        shutil.rmtree(old, ignore_errors=True)


def _python():
    """A Python that the program runs on: this one, else the newest on the PATH."""
    import shutil

    if sys.version_info >= NEEDS:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(20, NEEDS[1] - 1, -1)]
    return next(filter(None, map(shutil.which, names)), None)


def _hold(lock):
    """Waits until no other process holds the file; given back by the system when this process ends."""
    if not WINDOWS:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        return
    import msvcrt

    while True:
        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
        except OSError:
            # It gives up after ten seconds.
            continue
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
