"""The demo behind `channels sandbox`: the main job, on this machine, with no account and no network.

A Telegram on loopback, the real server as a process of its own, a scripted agent and a scripted person; afterwards,
if wanted, the same Telegram for a real agent host and whoever sits at the shell.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import time

from rich.console import Console

from agent_channels import __version__
from agent_channels.core.errors import ChannelError
from agent_channels.sandbox.agent.signals import end_on_signals
from agent_channels.sandbox.demo.journey import Journey, JourneyResult
from agent_channels.sandbox.demo.script import HANDLE, NAME
from agent_channels.sandbox.demo.stage import Stage, made_up_token, program
from agent_channels.sandbox.demo.transcript import Transcript
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["perform", "play"]

STOPPED = 130


def perform(*, keep: bool = False, port: int = 0) -> int:
    """Plays the journey on `port` (0: a free one); `keep` leaves the sandbox up until it is interrupted.

    Returns 0, or 130 when it was interrupted before the end. Raises `ChannelError` for the first thing that did not
    happen, and when the port cannot be used.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character shows another one; the play goes on.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, emoji=False, markup=False)
    over = asyncio.Event()
    try:
        asyncio.run(_perform(console, over, keep=keep, port=port))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nStopped: everything it started has ended, and its folder is gone.", soft_wrap=True)
        return 0 if over.is_set() else STOPPED
    return 0


async def _perform(console: Console, over: asyncio.Event, *, keep: bool, port: int) -> None:
    end_on_signals()
    tg = TelegramSandbox(made_up_token(), port=port)
    tg.state.bot.first_name = "Your agent"
    try:
        await tg.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = f"the sandbox cannot listen on port {port} ({reason}); name another with --port, or none for a free one"
        raise ChannelError(msg) from error
    view = Transcript(console, tg.person(HANDLE, NAME).id)
    try:
        async with Stage(tg) as stage:
            await play(stage, view)
            over.set()
            if keep:
                await stage.dismiss()
                _tell_how(view, stage)
                await asyncio.get_running_loop().create_future()
    finally:
        await tg.aclose()
    view.say()
    view.say("Next, with a real bot: let @BotFather make one, then run `channels setup telegram`.")
    view.say("Or stay here: `channels sandbox` shows all of this on a chat page, with Discord too.")


async def play(stage: Stage, view: Transcript) -> JourneyResult:
    """Plays the journey on a stage. Raises `ChannelError` for the first thing that does not happen."""
    began = time.monotonic()
    view.title(
        (
            f"Agent Channels {__version__}: a chat with an agent, through a crash, on this machine",
            f"Telegram's wire protocol on {stage.tg.root}, the real server over real stdio, no account, no network",
            f"{NAME} and the agent follow a script; everything shown here was seen to happen",
            "update, bot api: with Telegram; event, call, result: with the agent host",
        ),
        f"what {NAME} sees on her phone",
        "what crosses the wire",
    )
    score = await Journey(stage, view).perform()
    if not score.good:
        raise ChannelError(f"the counts are not what they should be: {score.sent} sent, {score.shown()}")
    view.say()
    view.say(score.shown(), "bold green")
    took = f"through one SIGKILL, in {time.monotonic() - began:.1f} s"
    view.say(f"{score.again} delivered twice and marked redelivered, {took}", "dim")
    return score


def _tell_how(view: Transcript, stage: Stage) -> None:
    command, *first = program()
    entry = {"command": command, "args": [*first, "serve", "telegram"], "env": stage.settings}
    control = f"{stage.tg.root}/control"
    send = json.dumps({"as": HANDLE, "text": "Hello from the shell"})
    tap = json.dumps({"as": HANDLE, "row": 0, "col": 0, "wait": 5})
    operator = " ".join(f"{name}={shlex.quote(value)}" for name, value in stage.settings.items())
    view.say()
    view.say(f"The sandbox stays up; the scripted agent and its server have ended. {NAME} stays paired.")
    view.say()
    view.say("Attach your agent host: put this into its .mcp.json, then start it as a channel.", "bold")
    view.copyable(json.dumps({"mcpServers": {"telegram": entry}}, indent=2))
    view.copyable("claude --dangerously-load-development-channels server:telegram")
    view.say()
    view.say(f"Be {NAME}, from another shell.", "bold")
    view.copyable(f"# say something\ncurl -s {control}/send -d {shlex.quote(send)}")
    view.copyable(f"# see the chat as it looks now\ncurl -s {shlex.quote(f'{control}/messages?chat={HANDLE}')}")
    view.copyable(f"# tap the first button of the latest grid\ncurl -s {control}/tap -d {shlex.quote(tap)}")
    view.copyable(f"# everything else: pictures, edits, groups, faults\ncurl -s {control}/")
    view.say()
    view.say("Be the operator, from another shell.", "bold")
    view.copyable(f"{operator} {shlex.join(program())} access telegram")
    view.say()
    view.say("Ctrl-C ends all of it and removes its folder.")
