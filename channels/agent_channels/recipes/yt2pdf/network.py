"""How both libraries reach the site: with the proxy and the certificates that the environment names."""

from __future__ import annotations

import functools
import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ChannelError, Refused
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.program import install_command
from agent_channels.core.settings.extras import YT2PDF, missing_modules
from agent_channels.core.settings.paths import expand_home
from agent_channels.recipes.yt2pdf.failures import failure_of

__all__ = ["LibraryLog", "Say", "called", "downloader", "http_session", "require_extra"]

TIMEOUT_S = 20.0
RETRIES = 2
# Told what is being done, for people.
Say = Callable[[str], None]


def require_extra(extra: str = YT2PDF) -> None:
    """Raise `Refused` with the command that installs an extra, unless it is here."""
    if missing := missing_modules(extra):
        raise Refused(
            sentence(
                "this needs the extra [{extra}] ({modules}: not installed); install it with `{command}`",
                extra=extra,
                modules=", ".join(missing),
                command=install_command(extra),
            )
        )


def http_session() -> Any:
    """Return a `requests.Session` that gives up on a silent server."""
    requests = importlib.import_module("requests")

    session = requests.Session()
    # Given with each request, since a session's own would give way to other variables.
    session.request = functools.partial(session.request, timeout=TIMEOUT_S, verify=_certificates() or True)
    return session


@contextmanager
def called(library: Any) -> Iterator[Any]:
    """Yield a downloader; whatever it raises becomes a `VideoFailure` with its reason."""
    try:
        with library:
            yield library
    except ChannelError:
        raise
    except Exception as error:
        raise failure_of(error, library.params["logger"].warnings) from error


def downloader(cookies: Path | None, **options: Any) -> Any:
    """Return a `yt_dlp.YoutubeDL` that reads no configuration, loads no plugin, runs no script and writes no cache."""
    yt_dlp = importlib.import_module("yt_dlp")
    importlib.import_module("yt_dlp.globals").plugin_dirs.value = []
    if certificates := _certificates():
        # The one variable that this library obeys.
        os.environ.setdefault("SSL_CERT_FILE", certificates)
    given: dict[str, Any] = {
        "quiet": True,
        "noprogress": True,
        "logger": LibraryLog(),
        "noplaylist": True,
        "cachedir": False,
        "js_runtimes": {},
        "socket_timeout": TIMEOUT_S,
        "retries": RETRIES,
        "extractor_retries": RETRIES,
        # Of the translations that the site offers of each track there are hundreds.
        "extractor_args": {"youtube": {"skip": ["translated_subs"]}},
        "compat_opts": {"no-certifi"} if certificates else set(),
        **options,
    }
    if cookies is not None:
        cookies = expand_home(cookies)
        if not cookies.is_file():
            raise Refused(
                sentence("the file {path} (yt2pdf_cookies in config.yaml) cannot be read; name another", path=cookies)
            )
        # As a stream, since a file would be written back with what the site sets.
        given["cookiefile"] = io.StringIO(cookies.read_text(encoding="utf-8"))
    return yt_dlp.YoutubeDL(given)


def _certificates() -> str | None:
    """Return the file of certificates that the environment names."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((found for name in names if (found := os.environ.get(name))), None)


class LibraryLog:
    """What the library says goes to no log; its warnings are kept, since its errors do not repeat their reasons."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, _text: str) -> None: ...

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def error(self, _text: str) -> None: ...
