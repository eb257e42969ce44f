"""The page's web server: on loopback, behind a secret, for its own origin only, with files of the package only."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from importlib import resources

from aiohttp import web

from agent_channels.page.feed import PageFeed
from agent_channels.page.guard import WebHandler, error_response, is_secret

__all__ = ["FILES", "HEADERS", "PageServer"]

HOST = "127.0.0.1"
# A 10 MB picture in base64, with some room.
BODY_MAX = 16 << 20
# path behind the secret: (file in static/, content type)
FILES = {
    **{f"/{name}.css": (f"{name}.css", "text/css") for name in ("page", "chat", "rich")},
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in (
            "sandbox", "open", "shell", "chat", "hands", "composer", "operator", "life", "format", "markdown", "rich",
            "topics", "dom", "words", "words_zh_tw",
        )
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}  # fmt: skip
# Served without the secret: a page that says what to do, by the beginning of the browser's language, and its looks.
HELP_PAGES = {"zh-hant": "no_secret.zh-TW.html", "zh-tw": "no_secret.zh-TW.html", "zh-hk": "no_secret.zh-TW.html"}
HELP_PAGE = "no_secret.html"
OPEN_FILES = ("/page.css", "/icon.svg")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer:
    """Serves one page. `start` listens; `port` is the real port from then on."""

    def __init__(
        self,
        index: str,
        secret: str,
        port: int,
        feed: PageFeed,
        *,
        gets: Mapping[str, WebHandler] | None = None,
        posts: Mapping[str, WebHandler],
        ended: str,
    ) -> None:
        """`index` is the page's file in static/; `gets` and `posts` are what it asks for and does, by path.

        `ended` is what the page of an earlier server, with its old secret, is told.
        """
        self._index, self._feed = index, feed
        self._gets, self._posts, self._ended = gets or {}, posts, ended
        self.secret, self.port = secret, port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of the page, secret included."""
        return f"http://{HOST}:{self.port}/{self.secret}/"

    async def start(self) -> None:
        """Start listening on loopback. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
        for path in OPEN_FILES:
            app.router.add_get(path, _file_handler(*FILES[path]))
        app.router.add_get("/{secret}", self._add_slash)
        app.router.add_get("/{secret}/", _file_handler(self._index, "text/html"))
        for path, (name, content_type) in FILES.items():
            app.router.add_get(f"/{{secret}}{path}", _file_handler(name, content_type))
        app.router.add_get("/{secret}/events", self._events)
        for path, handler in self._gets.items():
            app.router.add_get(f"/{{secret}}/{path}", handler)
        for path, handler in self._posts.items():
            app.router.add_post(f"/{{secret}}/{path}", handler)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.port = int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Cut every connection and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- security

    @web.middleware
    async def _guard(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        """Refuse other sites' pages, domain names that resolve to loopback, and anybody without the secret."""
        if not self._is_own(request):
            raise web.HTTPForbidden(text="this page answers only itself, on loopback\n", headers=HEADERS)
        try:
            known = request.path in OPEN_FILES or is_secret(
                request.path.partition("/")[2].partition("/")[0], self.secret
            )
            response = await (handler if known else self._refuse)(request)
        except web.HTTPException as refused:
            refused.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _is_own(self, request: web.Request) -> bool:
        hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.headers.get("Host", "") not in hosts:
            return False
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return False
        # Another site may link to the page, as the file does that opens it in a browser, and request nothing else.
        return site in {"none", "same-origin"} or (request.method == "GET" and request.path.endswith("/"))

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        """Say what to do without the secret: as a page, or as JSON to the page of a server that has ended."""
        if request.method == "POST":
            return error_response(403, self._ended, "open the address printed last")
        language = request.headers.get("Accept-Language", "").lower()
        name = next((page for begin, page in HELP_PAGES.items() if language.startswith(begin)), HELP_PAGE)
        response = await _file_handler(name, "text/html")(request)
        response.set_status(403)
        return response

    # --- handlers

    async def _add_slash(self, _request: web.Request) -> web.StreamResponse:
        """Correct an address that was copied without its last character."""
        raise web.HTTPFound(self.url)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send server-sent events: every part once, then each change."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        async with contextlib.aclosing(self._feed.listen(request.query.get("chat", ""))) as changes:
            async for parts in changes:
                body = ", ".join(f"{json.dumps(name)}: {part}" for name, part in parts.items())
                with contextlib.suppress(ConnectionError):
                    await response.write(f"data: {{{body}}}\n\n".encode())
        return response


def _file_handler(name: str, content_type: str) -> WebHandler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        data = await asyncio.to_thread((resources.files("agent_channels.page") / "static" / name).read_bytes)
        return web.Response(body=data, headers={"Content-Type": f"{content_type}; charset=utf-8"})

    return handle
