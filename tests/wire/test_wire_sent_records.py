"""What was sent is written down as sent, whatever fails afterwards."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agent_channels.core.errors import StoreError
from agent_channels.core.outbound.outgoing_secrets import OutgoingSecrets
from agent_channels.core.outbound.sender import Reply, Sender
from agent_channels.core.scheduling import Wakeups
from ways import SESSION, way


async def test_a_message_is_booked_though_its_answering_is_not(tmp_path: Path) -> None:
    """The disk takes the one and not the other: under the same key nothing is sent again, and its id is known."""
    async with way(tmp_path) as one:
        secrets = OutgoingSecrets("mask", one.services, Wakeups(), session=SESSION, project="p", wait_s=1.0)
        sender = Sender(
            one.adapter,
            one.services,
            one.files,
            rate_wait_s=1.0,
            panel_ttl_s=60.0,
            file_above=9999,
            rich="auto",
            secrets=secrets,
        )
        one.person.start()
        chat = str(one.person.id)
        one.access.allow(chat, by="test")
        await one.message({"id": one.person.id, "is_bot": False, "first_name": "Ann"})
        seen = one.inbox.shown_to(chat, SESSION)
        fails = True

        def answered() -> None:
            assert one.inbox.answer(chat, SESSION, seen) == 1
            if fails:
                raise sqlite3.OperationalError("database or disk is full")

        reply = Reply(chat, "answer", "text", idempotency_key="k")
        with pytest.raises(StoreError, match="disk is full"):
            await sender.reply(reply, answered)
        assert one.inbox.shown_to(chat, SESSION) == seen
        assert [said.text for said in one.history.page(chat, 9) or []] == ["message 1", "answer"]
        fails = False
        (sent,) = one.person.inbox
        assert await sender.reply(reply, answered) == f"sent (id: {sent['message_id']})"
        assert one.inbox.shown_to(chat, SESSION) == []
        assert len(one.person.inbox) == 1
