"""What the operating system allows this process (ulimit), for errors that come from it."""

from __future__ import annotations

import contextlib
import errno
import sys
from pathlib import Path

from agent_channels.core.errors import ConfigError

__all__ = [
    "file_size_limit",
    "keep_compiled_files_whole",
    "limits_in_force",
    "refuse_too_little_memory",
    "remedy",
    "system_fault",
]

MB = 1024 * 1024
# Of address space, which a server takes for its libraries and threads. With less they are ended by the system in the
# middle of something, without a word.
MIN_ADDRESS_SPACE = 300 * MB
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
# Above these no error of ours comes from the limit.
_ENOUGH = {"RLIMIT_AS": 4096 * MB, "RLIMIT_DATA": 4096 * MB, "RLIMIT_NOFILE": 128, "RLIMIT_NPROC": 64}


def file_size_limit() -> int | None:
    """Return how many bytes a file may have; None if there is no limit."""
    return _soft_limit("RLIMIT_FSIZE")


def keep_compiled_files_whole() -> None:
    """Keep Python from storing compiled modules of which a file may hold only a part.

    It stores the part, and from then on every process fails on it, with a limit or without.
    """
    if (limit := file_size_limit()) is None:
        return
    sys.dont_write_bytecode = True
    for module in list(sys.modules.values()):
        path = getattr(module, "__cached__", None)
        with contextlib.suppress(OSError):
            if path and Path(path).stat().st_size == limit:
                Path(path).unlink()


def limits_in_force() -> str:
    """Return the limits that are low enough to cause errors, as a part of a sentence; empty if there is none."""
    size, memory, data = file_size_limit(), _soft_limit("RLIMIT_AS"), _soft_limit("RLIMIT_DATA")
    files, processes = _soft_limit("RLIMIT_NOFILE"), _soft_limit("RLIMIT_NPROC")
    found = [f"files of at most {size:,} bytes (ulimit -f)"] if size is not None else []
    if memory is not None and memory < _ENOUGH["RLIMIT_AS"]:
        found.append(f"{memory // MB:,} MB of address space (ulimit -v)")
    if data is not None and data < _ENOUGH["RLIMIT_DATA"]:
        found.append(f"{data // MB:,} MB of data (ulimit -d)")
    if files is not None and files < _ENOUGH["RLIMIT_NOFILE"]:
        found.append(f"{files} open files (ulimit -n)")
    if processes is not None and processes < _ENOUGH["RLIMIT_NPROC"]:
        found.append(f"{processes} processes and threads (ulimit -u)")
    return f"the system allows this process only {' and '.join(found)}; raise that limit" if found else ""


def system_fault(error: BaseException) -> str:
    """Return an error that the system caused as a sentence: a file, the memory or a limit; empty for any other."""
    limits = limits_in_force()
    if isinstance(error, OSError):
        name = f"{error.filename} cannot be used: " if error.filename else ""
        return f"{name}{error.strerror or error}; {limits or remedy(error)}"
    if limits or isinstance(error, MemoryError):
        return f"{type(error).__name__}: {error}; {limits or 'there is too little memory'}"
    return ""


def remedy(error: OSError) -> str:
    """Return what a person can do about an error with a file or a folder, as a part of a sentence."""
    if error.errno in _FULL:
        return "free some space on that disk"
    if error.errno == errno.EROFS:
        return "that disk can only be read: mount it for writing, or use a folder on another one"
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return "a file stands where a folder has to be: move it away, or name another place"
    if error.errno == errno.ENOENT:
        return "it is not there any more: find out what removed it"
    if error.errno == errno.EISDIR:
        return "a folder stands where a file has to be: move it away"
    if error.errno == errno.EIO:
        return "the disk may be failing: look into the system's log"
    return "fix its owner and permissions"


def refuse_too_little_memory() -> None:
    """Raise `ConfigError` if the address space is too small for a server."""
    memory = _soft_limit("RLIMIT_AS")
    if memory is not None and memory < MIN_ADDRESS_SPACE:
        raise ConfigError(
            f"the system allows this process only {memory // MB:,} MB of address space (ulimit -v), and this needs "
            f"{MIN_ADDRESS_SPACE // MB:,} MB; raise that limit"
        )


def _soft_limit(name: str) -> int | None:
    found: int | None = None
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(getattr(resource, name))[0] if hasattr(resource, name) else resource.RLIM_INFINITY
        found = None if limit == resource.RLIM_INFINITY else limit
    return found
