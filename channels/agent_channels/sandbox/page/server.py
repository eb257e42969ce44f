"""The chat page's web server: loopback only, its own origin only, files of the package and nothing from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources

from aiohttp import web

from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.control import Action, Body, ControlError, json_body, json_handler, required
from agent_channels.sandbox.page import discord_view as page_discord
from agent_channels.sandbox.page import telegram_view as page_telegram
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.feed import Feed
from agent_channels.sandbox.page.scene import Scene
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["FILES", "PageServer"]

HOST = "127.0.0.1"
# A picture of 10 MB in base64, with some room.
BODY_MAX = 16 << 20
FILES = {
    "/": ("index.html", "text/html"),
    **{f"/{name}.css": (f"{name}.css", "text/css") for name in ("page", "chat")},
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("page", "chat", "composer", "life", "format", "markdown", "dom")
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
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
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


class PageServer:
    """Serves one scene. `start` listens; `port` is then the real one."""

    def __init__(
        self, scene: Scene, acts: PageActions, feed: Feed, lines: Mapping[str, ChannelServer], port: int
    ) -> None:
        """`lines` is empty when the channel servers are somebody else's."""
        self._scene, self._acts, self._feed, self._lines = scene, acts, feed, lines
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listens on loopback. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
        for path, (name, kind) in FILES.items():
            app.router.add_get(path, _serving(name, kind))
        app.router.add_get("/events", self._events)
        app.router.add_get("/file/{platform}/{id}", self._file)
        for name in self._acts.names():
            app.router.add_post(f"/act/{name}", json_handler(self._doing(name), json_body))
        app.router.add_post("/approve", json_handler(self._acts.approve, json_body))
        app.router.add_post("/server", json_handler(self._server, json_body))
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.port = int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Cuts every connection and stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- who may ask

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuses other sites' pages, and names that somebody made point to loopback."""
        if not self._is_ours(request):
            raise web.HTTPForbidden(text="this page answers only itself, on loopback\n", headers=HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as refused:
            refused.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _is_ours(self, request: web.Request) -> bool:
        hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.headers.get("Host", "") not in hosts:
            return False
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return False
        # A link from elsewhere may open the page; nothing else may be asked for from there.
        return site in {"none", "same-origin"} or request.path == "/"

    # --- answers

    def _doing(self, name: str) -> Action:
        async def act(body: Body) -> Body:
            return await self._acts.do(name, body)

        return act

    async def _server(self, body: Body) -> Body:
        """Kills or starts a channel server."""
        line = self._lines.get(str(required(body, "channel")))
        if line is None:
            raise ControlError("no such channel server is ours", "start it where it was started")
        try:
            await (line.kill() if required(body, "do") == "kill" else line.start())
        except ChannelError as error:
            raise ControlError(str(error), f"its log is {line.log}") from None
        return {"server": line.shown()}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: every part at first, then each that changes."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        async with contextlib.aclosing(self._feed.listen()) as changes:
            async for parts in changes:
                body = ", ".join(f"{json.dumps(name)}: {part}" for name, part in parts.items())
                with contextlib.suppress(ConnectionError):
                    await response.write(f"data: {{{body}}}\n\n".encode())
        return response

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """A picture or file from a chat: pictures as such, anything else only to be saved."""
        found = request.match_info
        data = None
        if found["platform"] == "telegram":
            data = page_telegram.picture(self._scene.tg, found["id"])
        elif found["platform"] == "discord":
            data = page_discord.picture(self._scene.dc, found["id"])
        if data is None:
            raise web.HTTPNotFound(text="no such file\n")
        kind = next((kind for begin, kind in _PICTURES.items() if data.startswith(begin)), None)
        if kind is None or image_size(data) is None:
            saved = {"Content-Disposition": "attachment", "Content-Type": "application/octet-stream"}
            return web.Response(body=data, headers=saved)
        return web.Response(body=data, headers={"Content-Type": kind})


def _serving(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(_request: web.Request) -> web.StreamResponse:
        data = await asyncio.to_thread((resources.files("agent_channels.sandbox.page") / "static" / name).read_bytes)
        return web.Response(body=data, headers={"Content-Type": f"{kind}; charset=utf-8"})

    return serve
