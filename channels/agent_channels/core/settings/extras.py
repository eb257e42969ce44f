"""The optional extras of the distribution: what each of them brings, and whether it is here."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["S3", "YT2PDF", "is_installed", "missing_modules"]

YT2PDF, S3 = "yt2pdf", "yt2pdf-s3"
# Extra -> the modules that it installs, by the name that they are imported by.
_MODULES = {
    YT2PDF: ("youtube_transcript_api", "yt_dlp", "weasyprint", "opencc", "nh3", "PIL"),
    S3: ("boto3",),
    "voice": ("faster_whisper",),
}


def missing_modules(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed."""
    return [name for name in _MODULES[extra] if find_spec(name) is None]


def is_installed(extra: str) -> bool:
    """Return whether everything that an extra brings is installed."""
    return not missing_modules(extra)
