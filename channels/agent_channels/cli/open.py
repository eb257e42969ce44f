"""`channels open`: this project's channels on a page: chats, what became of each message, and the operator's acts."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_channels.cli.arguments import CHANNEL_NAMES, add_json, port
from agent_channels.cli.language import language, shown
from agent_channels.core.errors import ChannelError
from agent_channels.core.i18n.sentences import in_language, sentence, words_of
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir, state_dir
from agent_channels.core.store.database import Store
from agent_channels.registry import CHANNELS

if TYPE_CHECKING:
    from agent_channels.page.json_api import Action, Body

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "show the channels of this project on a page: chats, what waits and why, and who may write"
PORT = 8766
INDEX = "open.html"
# What the page's own requests are answered with, when something else sends them.
RELOAD, ENDED = "reload the page", "this page has ended"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, --json, the port, and whether a browser is opened."""
    parser.add_argument(
        "channel",
        nargs="?",
        choices=CHANNELS,
        metavar="CHANNEL",
        help=sentence("{names}; default: all", names=CHANNEL_NAMES),
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=port,
        default=PORT,
        help=sentence("its port (default {port}; 0: a free one)", port=PORT),
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    add_json(parser, help="print the address as JSON, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Keep the page up until it is interrupted; return exit code 0."""
    names = [args.channel] if args.channel else list(CHANNELS)
    try:
        asyncio.run(_serve(names, args.port, browser=not args.no_browser, as_json=args.json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not args.json:
            print(shown("\nStopped. The servers go on as before."), flush=True)
    return 0


async def _serve(names: list[str], port_: int, *, browser: bool, as_json: bool) -> None:
    from agent_channels.page.guard import new_secret
    from agent_channels.page.json_api import json_body, json_handler
    from agent_channels.page.server import PageServer
    from agent_channels.page.serving import end_on_signals, say, show, start
    from agent_channels.page.store_feed import ChannelState, StoreFeed

    end_on_signals()
    feed = StoreFeed(
        project_dir().absolute(), {name: ChannelState(name, state_dir(name), _facts(name)) for name in names}
    )
    posts = {f"act/{name}": json_handler(act, json_body, RELOAD) for name, act in _acts(names).items()}
    server = PageServer(INDEX, new_secret(), port_, feed, posts=posts, ended=ENDED)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(feed.close)
        feed.check()
        stack.push_async_callback(server.aclose)
        await start(server, sentence("the page"))
        if as_json:
            say(json.dumps({"ok": True, "url": server.url}))
        else:
            say(shown(sentence("The page: {url}", url=server.url)))
            say(shown("Anyone who has this address can read the chats and let people in. Ctrl-C ends it."))
        if browser:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="channels-open-"))
            await show(server.url, Path(folder), quiet=as_json, language=language())
        await feed.run()


def _facts(name: str) -> Callable[[Services], dict[str, Any]]:
    from agent_channels.cli.status import known_facts

    def facts(services: Services) -> dict[str, Any]:
        # Read anew each time: a token may be set, and a setting changed, while the page is up.
        return known_facts(Environment(name), services)

    return facts


# ---- what the operator does; each act is the verb's own function, on a connection of its own


def _acts(names: list[str]) -> dict[str, Action]:
    from agent_channels.page.json_api import RequestError

    # One at a time: the verbs were written for a process of their own.
    turn = asyncio.Lock()

    def acting(act: Callable[[str, Services, Body], Body]) -> Action:
        async def handle(body: Body) -> Body:
            channel = body.get("channel")
            if channel not in names:
                raise RequestError(f"{str(channel)[:30]!r} is not a channel of this page", RELOAD)
            async with turn:
                try:
                    return await asyncio.to_thread(_in_store, act, channel, body)
                except ChannelError as error:
                    raise RequestError(_told(words_of(error), body), "") from error

        return handle

    return {"pair": acting(_pair), "redeliver": acting(_redeliver), "drop": acting(_drop), "invite": acting(_invite)}


def _in_store(act: Callable[[str, Services, Body], Body], channel: str, body: Body) -> Body:
    if act is _invite:
        from agent_channels.cli.invite import require_token

        require_token(channel)
    # As at the terminal: only an invitation may make the state folder.
    with (Store.open if act is _invite else Store.open_existing)(state_dir(channel)) as store:
        return act(channel, Services.of(store), body)


def _text(body: Body, name: str) -> str:
    """Return a value of the body as a text that can be looked up; "" if it is missing."""
    return str(body.get(name, "")).strip().encode("utf-8", "replace").decode()


def _pair(channel: str, services: Services, body: Body) -> Body:
    from agent_channels.cli.access import pair

    data, text = pair(channel, services, _text(body, "code"), may_send=False)
    return {**data, "said": _told(text, body)}


def _redeliver(channel: str, services: Services, body: Body) -> Body:
    from agent_channels.cli.inbox import redeliver

    redeliver(channel, services, _text(body, "delivery_id"))
    return {"said": _told(sentence("It is offered to the agent again."), body)}


def _drop(channel: str, services: Services, body: Body) -> Body:
    from agent_channels.cli.inbox import drop

    drop(channel, services, _text(body, "delivery_id"))
    return {"said": _told(sentence("Dropped: it is not offered to the agent any more."), body)}


def _invite(channel: str, services: Services, body: Body) -> Body:
    from agent_channels.cli.invite import invite

    data, text = invite(channel, services, qr_code=False, may_ask=False)
    return {**data, "said": _told(text, body), "qr": _qr_path(data["link"]) if data["link"] else None}


def _qr_path(link: str) -> dict[str, Any]:
    """Return a QR code as the path of its dark squares, and how many squares it is wide with its margin."""
    import segno

    code = segno.make(link, error="l", micro=False)
    rows = list(code.matrix_iter(border=4))
    squares = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"path": "".join(squares), "size": len(rows)}


def _told(text: str, body: Body) -> str:
    """Return a sentence as the page tells it, in the language in which that is read."""
    from agent_channels.core.log import redact
    from agent_channels.core.program import in_hints

    return in_hints(redact(in_language(text, _text(body, "language"))))
