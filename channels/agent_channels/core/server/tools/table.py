"""The tools, in the order of `tools/list`; each file here is one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.current_runtime import CurrentRuntime
from agent_channels.core.server.session import CallResult, Tool
from agent_channels.core.server.tools import (
    ask,
    channel_status,
    download_attachment,
    edit_message,
    fetch_messages,
    react,
    reply,
    wait_for_messages,
)
from agent_channels.core.server.tools.arguments import Arguments

__all__ = ["tool_table"]

Handler = Callable[[ChannelRuntime, Any], Awaitable[str]]
WaitingHandler = Callable[[CurrentRuntime, Any], Awaitable[CallResult]]
"""For a call that outlasts the bot's being closed and opened again, or whose result depends on the host."""


def tool_table(current: CurrentRuntime, status: Callable[[], dict[str, Any]], formats: str) -> list[Tool]:
    """Return every tool.

    Tools are refused while the bot is not open; `status` is answered even then; `formats` names the platform's text
    formats.
    """

    def tool(handler: Handler, model: type[Arguments], description: str, *, read_only: bool = False) -> Tool:
        async def call(args: Any) -> CallResult:
            return _with_late_answers(current, CallResult(await handler(await current.get(), args)))

        return Tool(handler.__name__, description.format(formats=formats), model, call, read_only)

    def waiting_tool(
        handler: WaitingHandler, model: type[Arguments], description: str, *, read_only: bool = False
    ) -> Tool:
        async def call(args: Any) -> CallResult:
            return _with_late_answers(current, await handler(current, args))

        return Tool(handler.__name__, description, model, call, read_only)

    async def status_text(args: Any) -> CallResult:
        text = channel_status.part_of(status(), args, current.limits())
        return _with_late_answers(current, CallResult(text))

    return [
        tool(reply.reply, reply.ReplyArguments, reply.DESCRIPTION),
        tool(react.react, react.ReactArguments, react.DESCRIPTION),
        tool(edit_message.edit_message, edit_message.EditArguments, edit_message.DESCRIPTION),
        tool(
            download_attachment.download_attachment,
            download_attachment.DownloadArguments,
            download_attachment.DESCRIPTION,
        ),
        waiting_tool(ask.ask, ask.AskArguments, ask.DESCRIPTION),
        waiting_tool(
            wait_for_messages.wait_for_messages,
            wait_for_messages.WaitArguments,
            wait_for_messages.DESCRIPTION,
        ),
        waiting_tool(
            fetch_messages.fetch_messages, fetch_messages.FetchArguments, fetch_messages.DESCRIPTION, read_only=True
        ),
        Tool("channel_status", channel_status.DESCRIPTION, channel_status.StatusArguments, status_text, read_only=True),
    ]


def _with_late_answers(current: CurrentRuntime, result: CallResult) -> CallResult:
    """Add what was answered of the agent's questions while no call waited for it."""
    late = current.late_answers(except_for=result.question)
    if not late:
        return result
    added = ask.answer_result(current, late)
    return replace(
        result,
        notes=(*result.notes, f"Answered meanwhile, of what you asked:\n{added.text}"),
        written=_both(result.written, added.written),
        lost=_both(result.lost, added.lost),
    )


def _both(*callbacks: Callable[[], None] | None) -> Callable[[], None]:
    def call() -> None:
        for callback in callbacks:
            if callback is not None:
                callback()

    return call
