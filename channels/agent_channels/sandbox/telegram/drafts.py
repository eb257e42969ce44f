"""Drafts: a text that a person sees growing while the bot has not sent it yet, with a button that stops it."""

from __future__ import annotations

from agent_channels.sandbox.telegram.entities import TEXT_LIMIT, format_text
from agent_channels.sandbox.telegram.errors import bad, unknown_method
from agent_channels.sandbox.telegram.method_table import MethodTable
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.records import Draft, TelegramChat
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import writable_chat

__all__ = ["method", "shown_drafts"]

method = MethodTable()

# Seconds after which a draft is gone that nothing renewed.
DRAFT_TTL_S = 30


def shown_drafts(state: TelegramState, chat: TelegramChat) -> list[Draft]:
    """Return the drafts that a person sees now."""
    return [draft for draft in chat.drafts.values() if state.now() - draft.at < DRAFT_TTL_S]


@method("sendMessageDraft")
def send_message_draft(state: TelegramState, params: Params) -> bool:
    """Show a draft, or change the one that is shown."""
    if not state.known("9.3"):
        raise unknown_method()
    chat = writable_chat(state, params)
    everybody = state.known("9.5")
    if chat.is_group or not (everybody or state.has_topics_in(chat)):
        raise bad("TEXTDRAFT_PEER_INVALID")
    number = params.integer("draft_id")
    if not number:
        raise bad("draft_id must be non-zero")
    thread = params.integer("message_thread_id") or None
    if thread and thread not in chat.topics:
        raise bad("message thread not found")
    text, _ = format_text(
        params.text("text"), params.text("parse_mode"), params.decoded("entities", "entities"), state.find_user
    )
    if not text and not state.known("10.0"):
        raise bad("text must be non-empty")
    if len(text) > TEXT_LIMIT:
        raise bad("message is too long")
    state.spend_activity(chat)
    can_stop = params.flag("can_stop") and state.known("10.3")
    chat.drafts[thread] = Draft(number, text, thread, can_stop, params.flag("keep_on_stop"), state.now())
    state.changed()
    return True
