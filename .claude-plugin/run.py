"""Starts `channels` for the plugin: run.py [--data FOLDER] VERB ...

A clone that was set up as the README says is used with its own environment. Otherwise an environment is created in
FOLDER (default: $CLAUDE_PLUGIN_DATA), once for each version of the source; from then on no network is needed. Hooks
never install: until a server has, they have no effect.

This file uses the standard library only, and only syntax of Python 3.8, since a machine's python3 may be old. Hosts run
it at every turn, so modules that only an installation needs are imported late.
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
    """Replace this process with the program; on Windows, which cannot do that, run it and return its exit code."""
    # What is installed here is run: nobody else may write it.
    os.umask(0o077)
    data, argv = _data(argv)
    if argv[:1] == ["--install"]:
        return install(data)
    program = _program_of_clone() or _installed_program(data)
    if program is None and argv[:1] == ["hook"]:
        return _run_hook_without_program(argv, data)
    if program is None:
        program = _install_and_wait(data)
    if program is None:
        return 1
    command = [str(program), *argv]
    if not WINDOWS:
        os.execv(command[0], command)
    # There, exec starts a process with another id, and the host would see this one end.
    import subprocess

    return subprocess.call(command)


def _run_hook_without_program(argv, data):
    """Do nothing, as long as nothing is installed; but tell a session that starts why it has no channels yet."""
    if argv[1:] == ["session"] and data is not None:
        import json

        print(json.dumps({"systemMessage": _why_there_is_no_program(data)}))
    return 0


def _why_there_is_no_program(data):
    """Say what keeps the program from running, and what to do: in the words that a person reads in the session."""
    if _find_python() is None:
        return "Agent Channels does not run. " + _no_python()
    log, failure = data / "install.log", _failure(data)
    if failure:
        return (
            f"Agent Channels could not install itself: {failure} (all of it: {log}). It is being tried again now; once "
            "the cause is gone, Reconnect in /mcp tries again too."
        )
    # The token is typed where no transcript keeps it.
    import shlex

    command = " ".join(map(shlex.quote, [sys.executable, str(Path(__file__).resolve()), "--data", str(data), "setup"]))
    return (
        f"Agent Channels installs itself once, which may take a minute ({log}). Then choose Reconnect in /mcp. The "
        f"bot's token is asked for by this command, in a terminal of your own and never here: {command}"
    )


def _no_python():
    """Say that no Python is new enough, and what to do."""
    return (
        "It needs Python {}.{} or newer; {} is {}.{}, and no newer one is on the PATH. Install one, or name it in the "
        "plugin's settings (/plugin), then start a new session."
    ).format(*NEEDS, sys.executable, *sys.version_info[:2])


def _failure(data):
    """The reason why the last installation of this source failed; "" if it did not, or was not tried."""
    try:
        name, _, reason = (data / "failed").read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError):
        return ""
    return reason.strip() if name == _environment_name() else ""


def _data(argv):
    """Split the data folder, None if nothing names it, off the arguments."""
    if argv[:1] == ["--data"]:
        return Path(argv[1]), argv[2:]
    named = os.environ.get("CLAUDE_PLUGIN_DATA")
    return (Path(named) if named else None), argv


def _program_of_clone():
    """The program in the clone's own environment; None without one, or if it was copied along from another folder."""
    program = ROOT / ".venv" / SCRIPTS / ("channels" + SUFFIX)
    try:
        first = program.open("rb").readline(1024).decode("utf-8", "replace")
    except OSError:
        return None
    return program if WINDOWS or first[2:].strip().startswith(str(ROOT / ".venv")) else None


def _installed_program(data):
    """The program in the environment that was installed for this source; None as long as there is none."""
    if data is None or not (data / _environment_name() / "ready").exists():
        return None
    return data / _environment_name() / SCRIPTS / ("channels" + SUFFIX)


def _environment_name():
    """The name of the environment for the source as it is now: by path, size and time of its files, not read."""
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt", *sorted((ROOT / "channels").rglob("*.py"))]
    state = hashlib.sha256(str(ROOT).encode())
    for path in files:
        found = path.stat()
        state.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return "env-" + state.hexdigest()[:16]


def _install_and_wait(data):
    """Install in a process of its own; return the program, None if that failed."""
    if data is None:
        print("channels: name the plugin's data folder with --data, or set CLAUDE_PLUGIN_DATA", file=sys.stderr)
        return None
    import subprocess

    data.mkdir(parents=True, exist_ok=True)
    log = data / "install.log"
    print(f"channels: installing into {data}, once; progress is in {log}", file=sys.stderr, flush=True)
    # A host may time out and end this process: the installation goes on, and the next start finds it.
    detached = {"creationflags": 0x00000208} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as out:
        command = [sys.executable, "-I", str(Path(__file__).resolve()), "--data", str(data), "--install"]
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **detached)
    if code:
        reason = _no_python() if _find_python() is None else _failure(data)
        print(f"channels: the installation failed: {reason} (all of it: {log})", file=sys.stderr)
    return _installed_program(data)


def install(data):
    """Create the environment, or wait for another process that does; return the exit code.

    What the commands print goes to stdout; the reason of a failure is kept for the session.
    """
    with (data / "install.lock").open("ab") as lock:
        _acquire(lock)
        if _installed_program(data):
            return 0
        python = _find_python()
        if python is None:
            # Not kept: the next session finds out by itself whether there is one.
            print(_no_python(), flush=True)
            return 1
        reason = _try_to_install(python, data)
        if reason:
            print(reason, flush=True)
            (data / "failed").write_text(f"{_environment_name()}\n{reason}\n", encoding="utf-8")
            return 1
        if (data / "failed").exists():
            (data / "failed").unlink()
        return 0


def _try_to_install(python, data):
    """Create the environment; return why that failed, "" if it did not."""
    folder = data / _environment_name()
    _remove_old(data, folder)
    # Isolated, and elsewhere: in the project, `-m` would run a venv.py or pip.py from there.
    pip = [str(folder / SCRIPTS / ("python" + SUFFIX)), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
    said = _run([python, "-I", "-m", "venv", str(folder)], data)
    if said is not None:
        # What follows its first line is advice for several systems.
        return f"python -m venv failed: {said[0]}"
    said = _run([*pip, "-c", str(ROOT / "constraints.txt"), str(ROOT)], data)
    if said is not None:
        return f"pip failed: {said[-1]}"
    (folder / "ready").touch()
    return ""


def _run(command, folder):
    """Run a command and hand its output on; return its lines if it failed, at least one, else None."""
    import subprocess

    lines = []
    with subprocess.Popen(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            text = line.decode("utf-8", "replace")
            print(text, end="", flush=True)
            if text.strip():
                lines.append(text.strip())
    return (lines or [f"exit code {process.returncode}"]) if process.returncode else None


def _remove_old(data, folder):
    """Remove a half-finished installation, and older environments except the last, which may still be in use."""
    import shutil

    others = sorted((env for env in data.glob("env-*") if env != folder), key=lambda env: env.stat().st_mtime)
    for old in [folder, *others[:-1]]:
        shutil.rmtree(old, ignore_errors=True)


def _find_python():
    """A Python that is new enough: this one, else the newest on the PATH; None if there is none."""
    import shutil

    if sys.version_info >= NEEDS:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(20, NEEDS[1] - 1, -1)]
    return next(filter(None, map(shutil.which, names)), None)


def _acquire(lock):
    """Wait until no other process holds the file; the system releases it when this process ends."""
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
