"""Which certificates a server has to show: those that the environment names, else the ones that certifi brings.

The variables are OpenSSL's, those of requests and curl, and the one in which hosts on Node name a company's own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.patterns import lazy_pattern

if TYPE_CHECKING:
    import ssl

__all__ = ["certificate_sources", "no_system_certificates", "read_ahead", "refuse_unusable_key_log", "tls_context"]

# Instead of certifi's, the first of these groups of which something is set.
_INSTEAD = (("SSL_CERT_FILE", "SSL_CERT_DIR"), ("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE",))
_ADDED = "NODE_EXTRA_CA_CERTS"
_ONE_AT_A_TIME = threading.Lock()
# In such a folder OpenSSL finds a certificate by the hash of its subject.
_HASHED = lazy_pattern(r"[0-9a-f]{8}\.\d+")
# What was read ahead is used for so long: the files may change.
_FRESH_S = 10.0


def certificate_sources(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that name certificates and are obeyed."""
    instead = next((found for group in _INSTEAD if (found := [name for name in group if environ.get(name)])), [])
    return [*instead, *([_ADDED] if environ.get(_ADDED) else [])]


class _Ahead(threading.Thread):
    """Reads the certificates while other modules are imported: OpenSSL takes 40 ms, and does not hold Python up."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="certificates")
        self._begun = time.monotonic()
        self._made: ssl.SSLContext | None = None

    def run(self) -> None:
        # `tls_context` then makes it itself, and meets the same fault.
        with suppress(Exception):
            self._made = _make_context(os.environ)

    def result(self) -> ssl.SSLContext | None:
        """Return the context, waiting for it; None if there is none, or it is not fresh."""
        self.join()
        return self._made if time.monotonic() - self._begun < _FRESH_S else None


_ahead: list[_Ahead] = []


def read_ahead() -> None:
    """Begin to make the context that the next `tls_context()` returns."""
    _ahead.append(_Ahead())
    _ahead[-1].start()


def tls_context(environ: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """Return a context for connections to a platform. Raises `ConfigError` naming a variable that cannot be obeyed.

    Without such a variable it is not the system's certificates that count: builds of Python and slim containers exist
    that find none.
    """
    if environ is not None:
        return _make_context(environ)
    return (_ahead.pop().result() if _ahead else None) or _make_context(os.environ)


def _make_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    # Imported here: every command reads which variables there are.
    import ssl

    import certifi

    refuse_unusable_key_log(environ)
    sources = certificate_sources(environ)
    # The one that the library calls default would also trust what the system trusts.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not set(sources) - {_ADDED}:
        context.load_verify_locations(cafile=certifi.where())
    for name in sources:
        _load(context, name, environ[name])
    return context


@contextmanager
def no_system_certificates() -> Iterator[None]:
    """Let contexts made within it read none of the system's certificates.

    While it is imported, aiohttp makes two for callers that name none, which takes a quarter of its import and 1.6 MB.
    Each of our connections names its own, and without certificates those two trust nobody.
    """
    import ssl

    with _ONE_AT_A_TIME:
        ssl.SSLContext.set_default_verify_paths = lambda _self: None  # type: ignore[assignment]
        try:
            yield
        finally:
            # What it inherits is in force again.
            del ssl.SSLContext.set_default_verify_paths


def refuse_unusable_key_log(environ: Mapping[str, str]) -> None:
    """Raise `ConfigError` if SSLKEYLOGFILE cannot be written: with it, libraries fail while they are imported."""
    path = environ.get("SSLKEYLOGFILE")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8"):
            pass
    except (OSError, ValueError) as error:
        raise ConfigError(
            sentence(
                "SSLKEYLOGFILE is {path!r}, which cannot be written ({reason}): name another file, or unset "
                "SSLKEYLOGFILE",
                path=path,
                reason=_reason(error),
            )
        ) from error


def _load(context: ssl.SSLContext, name: str, value: str) -> None:
    try:
        if name == "SSL_CERT_DIR" or Path(value).is_dir():
            _load_folders(context, value)
        else:
            _load_file(context, value)
    except (OSError, ValueError) as error:
        wanted = "a folder of certificates named by their hash" if name == "SSL_CERT_DIR" else "a file in PEM format"
        raise ConfigError(
            sentence(
                "{name} is {value!r}, which holds no certificates that can be used ({reason}): name {wanted}, or "
                "unset {name}",
                name=name,
                value=value,
                reason=_reason(error),
                wanted=wanted,
            )
        ) from error


def _load_file(context: ssl.SSLContext, value: str) -> None:
    # Opening a pipe or a device may never return.
    if Path(value).exists() and not Path(value).is_file():
        raise ValueError("it is not a file")
    context.load_verify_locations(cafile=value)


def _load_folders(context: ssl.SSLContext, value: str) -> None:
    names: list[str] = []
    problem: OSError | None = None
    for folder in filter(None, value.split(os.pathsep)):
        try:
            names += os.listdir(folder)  # noqa: PTH208 - names are enough
        except OSError as error:
            problem = error
    if not any(_HASHED.fullmatch(name) for name in names):
        raise problem or ValueError("none of its files is named after its hash; run `openssl rehash` on it")
    context.load_verify_locations(capath=value)


def _reason(error: OSError | ValueError) -> str:
    # OpenSSL's own reason, such as NO_CERTIFICATE_OR_CRL_FOUND.
    if reason := getattr(error, "reason", None):
        return str(reason).replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)
