"""What the chat page asks of the sandbox: the people's actions, starting and killing servers, the files of a chat."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from agent_channels.core.errors import ChannelError
from agent_channels.page.guard import WebHandler
from agent_channels.page.json_api import Action, Body, json_body, json_handler
from agent_channels.sandbox.control import EXAMPLES, ControlError, required
from agent_channels.sandbox.page import discord_view, slack_view, telegram_view
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.channel_server import ChannelServer
from agent_channels.sandbox.page.scene import Scene
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["ScenePaths"]

IMAGE_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


class ScenePaths:
    """The handlers of one scene, by path: `gets` and `posts`."""

    def __init__(self, scene: Scene, actions: PageActions, servers: Mapping[str, ChannelServer]) -> None:
        """`servers` is empty when the user starts the channel servers."""
        self._scene, self._actions, self._servers = scene, actions, servers

    def gets(self) -> dict[str, WebHandler]:
        """Return what the page reads."""
        return {"file/{platform}/{id}": self._chat_file}

    def posts(self) -> dict[str, WebHandler]:
        """Return what the page does."""
        actions: dict[str, Action] = {f"act/{name}": self._action(name) for name in self._actions.names()}
        actions |= {"approve": self._actions.approve, "server": self._control_server}
        return {path: json_handler(action, json_body, EXAMPLES) for path, action in actions.items()}

    def _action(self, name: str) -> Action:
        async def act(body: Body) -> Body:
            return await self._actions.act(name, body)

        return act

    async def _control_server(self, body: Body) -> Body:
        """Kill or start a channel server."""
        server = self._servers.get(str(required(body, "server")))
        if server is None:
            raise ControlError("the page did not start such a channel server", "control it where it was started")
        try:
            await (server.kill() if required(body, "do") == "kill" else server.start())
        except ChannelError as error:
            raise ControlError(str(error), f"its log is {server.log}") from None
        return {"server": server.as_dict()}

    async def _chat_file(self, request: web.Request) -> web.StreamResponse:
        """Send a file of a chat: an image as such, anything else only as a download."""
        platform, file_id = request.match_info["platform"], request.match_info["id"]
        data = None
        if platform == "telegram":
            data = telegram_view.file_data(self._scene.tg, file_id)
        elif platform == "discord":
            data = discord_view.file_data(self._scene.dc, file_id)
        elif platform == "slack":
            data = slack_view.file_data(self._scene.slack, file_id)
        if data is None:
            raise web.HTTPNotFound(text="no such file\n")
        image_type = next((kind for begin, kind in IMAGE_TYPES.items() if data.startswith(begin)), None)
        if image_type is None or image_size(data) is None:
            download = {"Content-Disposition": "attachment", "Content-Type": "application/octet-stream"}
            return web.Response(body=data, headers=download)
        return web.Response(body=data, headers={"Content-Type": image_type})
