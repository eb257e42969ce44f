"""Who may talk to a server on loopback: no other site's page in somebody's browser, and nobody without the secret."""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

__all__ = [
    "WebHandler",
    "bearer",
    "error_response",
    "is_secret",
    "json_response",
    "new_secret",
    "refuse_other_sites",
]

WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_secret() -> str:
    """Return a random secret of URL-safe characters."""
    return secrets.token_urlsafe(24)


def is_secret(given: str, secret: str) -> bool:
    """Compare in a time that tells nothing about the secret; an empty secret matches nothing."""
    return bool(secret) and hmac.compare_digest(given.encode(errors="surrogatepass"), secret.encode())


def bearer(request: web.Request) -> str:
    """Return the secret that a request carries as `Authorization: Bearer SECRET`, "" without one."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def error_response(status: int, error: str, next_step: str) -> web.Response:
    """Return `{"ok": false, "error", "next"}`."""
    return json_response({"ok": False, "error": error, "next": next_step}, status)


def json_response(body: dict[str, Any], status: int) -> web.Response:
    """Return JSON that ends with a line break, for the shell."""
    text = json.dumps(body, ensure_ascii=False, default=str)
    return web.Response(status=status, text=text + "\n", content_type="application/json")


@web.middleware
async def refuse_other_sites(request: web.Request, handler: WebHandler) -> web.StreamResponse:
    """Answer 403 to what a web page asks for, WebSockets included, and to domain names that resolve to loopback."""
    if _is_foreign(request):
        return error_response(403, "asked by another site's page", "use curl, or a script")
    return await handler(request)


def _is_foreign(request: web.Request) -> bool:
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    origin = request.headers.get("Origin")
    # Browsers send no Origin with a plain GET, but they say where it comes from.
    site = request.headers.get("Sec-Fetch-Site", "none")
    return not local or origin not in {None, f"http://{request.host}"} or site not in {"none", "same-origin"}
