"""The chat page's web server: on loopback, behind a secret, for its own origin only, with files of the package only."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from importlib import resources

from aiohttp import web

from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.control import Action, Body, ControlError, json_body, json_handler, required
from agent_channels.sandbox.guard import WebHandler, error_response, is_secret
from agent_channels.sandbox.page import discord_view, telegram_view
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.feed import PageFeed
from agent_channels.sandbox.page.scene import Scene
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["FILES", "HEADERS", "PageServer"]

HOST = "127.0.0.1"
# A 10 MB picture in base64, with some room.
BODY_MAX = 16 << 20
# path behind the secret: (file in static/, content type)
FILES = {
    "/": ("index.html", "text/html"),
    **{f"/{name}.css": (f"{name}.css", "text/css") for name in ("page", "chat", "rich")},
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in (
            "page",
            "chat",
            "composer",
            "life",
            "format",
            "markdown",
            "rich",
            "topics",
            "dom",
            "words",
            "words_zh_tw",
        )
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
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
IMAGE_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


class PageServer:
    """Serves one scene. `start` listens; `port` is the real port from then on."""

    def __init__(
        self,
        scene: Scene,
        actions: PageActions,
        feed: PageFeed,
        servers: Mapping[str, ChannelServer],
        port: int,
    ) -> None:
        """`servers` is empty when the user starts the channel servers."""
        self._scene, self._actions, self._feed, self._servers = scene, actions, feed, servers
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of the page, secret included."""
        return f"http://{HOST}:{self.port}/{self._scene.secret}/"

    async def start(self) -> None:
        """Start listening on loopback. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
        for path in OPEN_FILES:
            app.router.add_get(path, _file_handler(*FILES[path]))
        app.router.add_get("/{secret}", self._add_slash)
        for path, (name, content_type) in FILES.items():
            app.router.add_get(f"/{{secret}}{path}", _file_handler(name, content_type))
        app.router.add_get("/{secret}/events", self._events)
        app.router.add_get("/{secret}/file/{platform}/{id}", self._chat_file)
        for name in self._actions.names():
            app.router.add_post(f"/{{secret}}/act/{name}", json_handler(self._action(name), json_body))
        app.router.add_post("/{secret}/approve", json_handler(self._actions.approve, json_body))
        app.router.add_post("/{secret}/server", json_handler(self._control_server, json_body))
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
                request.path.partition("/")[2].partition("/")[0], self._scene.secret
            )
            response = await (handler if known else _refuse)(request)
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

    # --- handlers

    async def _add_slash(self, _request: web.Request) -> web.StreamResponse:
        """Correct an address that was copied without its last character."""
        raise web.HTTPFound(self.url)

    def _action(self, name: str) -> Action:
        async def act(body: Body) -> Body:
            return await self._actions.act(name, body)

        return act

    async def _control_server(self, body: Body) -> Body:
        """Kill or start a channel server."""
        server = self._servers.get(str(required(body, "channel")))
        if server is None:
            raise ControlError("the page did not start such a channel server", "control it where it was started")
        try:
            await (server.kill() if required(body, "do") == "kill" else server.start())
        except ChannelError as error:
            raise ControlError(str(error), f"its log is {server.log}") from None
        return {"server": server.as_dict()}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Send server-sent events: every part once, then each change."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        async with contextlib.aclosing(self._feed.listen()) as changes:
            async for parts in changes:
                body = ", ".join(f"{json.dumps(name)}: {part}" for name, part in parts.items())
                with contextlib.suppress(ConnectionError):
                    await response.write(f"data: {{{body}}}\n\n".encode())
        return response

    async def _chat_file(self, request: web.Request) -> web.StreamResponse:
        """Send a file of a chat: an image as such, anything else only as a download."""
        platform, file_id = request.match_info["platform"], request.match_info["id"]
        data = None
        if platform == "telegram":
            data = telegram_view.file_data(self._scene.tg, file_id)
        elif platform == "discord":
            data = discord_view.file_data(self._scene.dc, file_id)
        if data is None:
            raise web.HTTPNotFound(text="no such file\n")
        image_type = next((kind for begin, kind in IMAGE_TYPES.items() if data.startswith(begin)), None)
        if image_type is None or image_size(data) is None:
            download = {"Content-Disposition": "attachment", "Content-Type": "application/octet-stream"}
            return web.Response(body=data, headers=download)
        return web.Response(body=data, headers={"Content-Type": image_type})


async def _refuse(request: web.Request) -> web.StreamResponse:
    """Say what to do without the secret: as a page, or as JSON to a page of a sandbox that has ended."""
    if request.method == "POST":
        return error_response(403, "this page belongs to a sandbox that has ended", "open the address printed last")
    language = request.headers.get("Accept-Language", "").lower()
    name = next((page for begin, page in HELP_PAGES.items() if language.startswith(begin)), HELP_PAGE)
    response = await _file_handler(name, "text/html")(request)
    response.set_status(403)
    return response


def _file_handler(name: str, content_type: str) -> WebHandler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        data = await asyncio.to_thread((resources.files("agent_channels.sandbox.page") / "static" / name).read_bytes)
        return web.Response(body=data, headers={"Content-Type": f"{content_type}; charset=utf-8"})

    return handle
