"""What the operating system allows this process (ulimit), for errors that come from it."""

from __future__ import annotations

import contextlib
import errno
import sys
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence

__all__ = [
    "file_size_limit",
    "files_are_scarce",
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


def files_are_scarce() -> bool:
    """Return whether so few files may be open that each one counts: what fails soon has to be able to say why."""
    limit = _soft_limit("RLIMIT_NOFILE")
    return limit is not None and limit < _ENOUGH["RLIMIT_NOFILE"]


def limits_in_force() -> str:
    """Return the limits that are low enough to cause errors, as a part of a sentence; empty if there is none."""
    size, memory, data = file_size_limit(), _soft_limit("RLIMIT_AS"), _soft_limit("RLIMIT_DATA")
    files, processes = _soft_limit("RLIMIT_NOFILE"), _soft_limit("RLIMIT_NPROC")
    found = [sentence("files of at most {size:,} bytes (ulimit -f)", size=size)] if size is not None else []
    if memory is not None and memory < _ENOUGH["RLIMIT_AS"]:
        found.append(sentence("{size:,} MB of address space (ulimit -v)", size=memory // MB))
    if data is not None and data < _ENOUGH["RLIMIT_DATA"]:
        found.append(sentence("{size:,} MB of data (ulimit -d)", size=data // MB))
    if files is not None and files < _ENOUGH["RLIMIT_NOFILE"]:
        found.append(sentence("{count} open files (ulimit -n)", count=files))
    if processes is not None and processes < _ENOUGH["RLIMIT_NPROC"]:
        found.append(sentence("{count} processes and threads (ulimit -u)", count=processes))
    if not found:
        return ""
    return sentence("the system allows this process only {limits}; raise that limit", limits=joined(found, " and "))


def system_fault(error: BaseException) -> str:
    """Return an error that the system caused as a sentence: a file, the memory or a limit; empty for any other."""
    limits = limits_in_force()
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        if error.filename:
            reason = sentence("{path} cannot be used: {reason}", path=error.filename, reason=reason)
        return joined([reason, limits or remedy(error)])
    if limits or isinstance(error, MemoryError):
        return joined([f"{type(error).__name__}: {error}", limits or sentence("there is too little memory")])
    return ""


def remedy(error: OSError) -> str:
    """Return what a person can do about an error with a file or a folder, as a part of a sentence."""
    if error.errno in _FULL:
        return sentence("free some space on that disk")
    if error.errno == errno.EROFS:
        return sentence("that disk can only be read: mount it for writing, or use a folder on another one")
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return sentence("a file stands where a folder has to be: move it away, or name another place")
    if error.errno == errno.ENOENT:
        return sentence("it is not there any more: find out what removed it")
    if error.errno == errno.EISDIR:
        return sentence("a folder stands where a file has to be: move it away")
    if error.errno == errno.EIO:
        return sentence("the disk may be failing: look into the system's log")
    return sentence("fix its owner and permissions")


def refuse_too_little_memory() -> None:
    """Raise `ConfigError` if the address space is too small for a server."""
    memory = _soft_limit("RLIMIT_AS")
    if memory is not None and memory < MIN_ADDRESS_SPACE:
        raise ConfigError(
            sentence(
                "the system allows this process only {size:,} MB of address space (ulimit -v), and this needs "
                "{needed:,} MB; raise that limit",
                size=memory // MB,
                needed=MIN_ADDRESS_SPACE // MB,
            )
        )


def _soft_limit(name: str) -> int | None:
    found: int | None = None
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(getattr(resource, name))[0] if hasattr(resource, name) else resource.RLIM_INFINITY
        found = None if limit == resource.RLIM_INFINITY else limit
    return found
