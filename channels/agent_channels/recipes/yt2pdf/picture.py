"""The picture of a video, for its page: fetched from the site's own servers only, and drawn anew."""

from __future__ import annotations

import importlib
import io
import re
from urllib.parse import urlsplit

from agent_channels.recipes.yt2pdf.network import http_session
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["fetch_picture", "redrawn"]

BYTES_MAX = 5 * 1024 * 1024
PIXELS_MAX = 20_000_000
SIZE = (1120, 630)
_SERVERS = re.compile(r"(?:[a-z0-9-]+\.)*(?:ytimg\.com|ggpht\.com|googleusercontent\.com)")


def fetch_picture(video: Video) -> bytes | None:
    """Return a video's picture as a small JPEG; None if there is none that can be shown."""
    parts = urlsplit(video.picture)
    if parts.scheme != "https" or not _SERVERS.fullmatch(parts.hostname or "") or parts.port not in {None, 443}:
        return None
    requests = importlib.import_module("requests")
    try:
        with http_session() as session, session.get(video.picture, stream=True, allow_redirects=False) as answer:
            if answer.status_code != 200:
                return None
            data = bytearray()
            for part in answer.iter_content(65_536):
                data += part
                if len(data) > BYTES_MAX:
                    return None
    except (requests.RequestException, OSError):
        return None
    return redrawn(bytes(data))


def redrawn(data: bytes) -> bytes | None:
    """Return a picture as a JPEG of a page's width, with nothing else in it; None if it is none."""
    images = importlib.import_module("PIL.Image")
    try:
        with images.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > PIXELS_MAX:
                return None
            plain = image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    plain.thumbnail(SIZE)
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()
