"""`channels sandbox --transcript`: the journey in the terminal, with no account and no network.

A Telegram on loopback, the real server as a process of its own, a scripted agent and a scripted person. With `--keep`,
the same Telegram stays up afterwards for a real agent host and for the shell.
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
from agent_channels.core.program import called
from agent_channels.page.serving import end_on_signals
from agent_channels.sandbox.agent.processes import program
from agent_channels.sandbox.demo.journey import Journey, JourneyResult
from agent_channels.sandbox.demo.script import HANDLE, NAME
from agent_channels.sandbox.demo.stage import Stage
from agent_channels.sandbox.demo.transcript import Transcript
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox, random_token

__all__ = ["play", "run"]

INTERRUPTED = 130


def run(*, keep: bool = False, port: int = 0) -> int:
    """Play the journey on `port` (0: a free one); with `keep` the sandbox stays up until it is interrupted.

    Returns the exit code: 0, or 130 when it was interrupted before the end. Raises `ChannelError` for the first thing
    that did not happen, and when the port cannot be used.
    """
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the terminal cannot show is replaced, rather than ending the journey.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, emoji=False, markup=False)
    finished = asyncio.Event()
    try:
        asyncio.run(_run(console, finished, keep=keep, port=port))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nStopped: everything it started has ended, and its folder is gone.", soft_wrap=True)
        return 0 if finished.is_set() else INTERRUPTED
    return 0


async def _run(console: Console, finished: asyncio.Event, *, keep: bool, port: int) -> None:
    end_on_signals()
    tg = TelegramSandbox(random_token(), port=port)
    tg.state.bot.first_name = "Your agent"
    try:
        await tg.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = f"the sandbox cannot listen on port {port} ({reason}); name another with --port, or none for a free one"
        raise ChannelError(msg) from error
    transcript = Transcript(console, tg.person(HANDLE, NAME).id)
    try:
        async with Stage(tg) as stage:
            await play(stage, transcript)
            finished.set()
            if keep:
                await stage.stop_server()
                _print_instructions(transcript, stage)
                await asyncio.get_running_loop().create_future()
    finally:
        await tg.aclose()
    transcript.paragraph()
    transcript.paragraph("Next, with a real bot: create one with @BotFather, then run:")
    transcript.copyable(f"  {called()} setup telegram")
    transcript.paragraph("Or stay here, and see all of this on a chat page, with Discord too:")
    transcript.copyable(f"  {called()} sandbox")


async def play(stage: Stage, transcript: Transcript) -> JourneyResult:
    """Play the journey on a stage. Raises `ChannelError` for the first thing that does not happen."""
    began = time.monotonic()
    transcript.title(
        (
            f"Agent Channels {__version__}: a chat with an agent, through a crash, on this machine",
            f"Telegram's wire protocol on {stage.tg.root}, the real server over real stdio, no account, no network",
            f"{NAME} and the agent follow a script; everything printed here really happened",
            "update, bot api: with Telegram; event, call, result: with the agent host",
        ),
        f"what {NAME} sees on her phone",
        "what crosses the wire",
    )
    result = await Journey(stage, transcript).play()
    if not result.complete:
        raise ChannelError(f"the counts are wrong: {result.sent} sent, {result.summary()}")
    transcript.paragraph()
    transcript.paragraph(result.summary(), "bold green")
    took = f"through one SIGKILL, in {time.monotonic() - began:.1f} s"
    transcript.paragraph(f"{result.redelivered} delivered twice and marked redelivered, {took}", "dim")
    return result


def _print_instructions(transcript: Transcript, stage: Stage) -> None:
    command, *first = program()
    entry = {"command": command, "args": [*first, "serve", "telegram"], "env": stage.settings}
    control = f"{stage.tg.root}/control"
    # Other users can read a command line, and not this file.
    config = stage.folder / "control.curl"
    config.write_text(f'header = "Authorization: Bearer {stage.tg.secret}"\n', encoding="utf-8")
    curl = f"curl -s -K {shlex.quote(str(config))}"
    send = json.dumps({"as": HANDLE, "text": "Hello from the shell"})
    tap = json.dumps({"as": HANDLE, "row": 0, "col": 0, "wait": 5})
    operator = " ".join(f"{name}={shlex.quote(value)}" for name, value in stage.settings.items())
    transcript.paragraph()
    transcript.paragraph(f"The sandbox stays up; the scripted agent and its server have ended. {NAME} stays paired.")
    transcript.paragraph()
    transcript.paragraph("Attach your agent host: put this into its .mcp.json, then start it as a channel.", "bold")
    transcript.copyable(json.dumps({"mcpServers": {"telegram": entry}}, indent=2))
    transcript.copyable("claude --dangerously-load-development-channels server:telegram")
    transcript.paragraph()
    transcript.paragraph(f"Act as {NAME}, from another shell.", "bold")
    transcript.copyable(f"# send a message\n{curl} {control}/send -d {shlex.quote(send)}")
    transcript.copyable(f"# show the chat as it looks now\n{curl} {shlex.quote(f'{control}/messages?chat={HANDLE}')}")
    transcript.copyable(f"# tap the first button of the latest grid\n{curl} {control}/tap -d {shlex.quote(tap)}")
    transcript.copyable(f"# everything else: pictures, edits, groups, faults\n{curl} {control}/")
    transcript.paragraph()
    transcript.paragraph("Act as the operator, from another shell.", "bold")
    transcript.copyable(f"{operator} {shlex.join(program())} access telegram")
    transcript.paragraph()
    transcript.paragraph("Ctrl-C ends all of it and removes its folder.")
