"""A credential that somebody sent on Slack, where an app deletes its own messages alone."""

from __future__ import annotations

from datetime import UTC, datetime

from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.secret_offers import offer_deletion
from agent_channels.core.contract.messages import Chat, Message, Person
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.slack.adapter import SlackAdapter
from agent_channels.slack.settings import SlackSettings
from slack_reading import actions, read

pytest_plugins = ["slack_fixtures"]


async def test_nothing_is_offered_that_the_app_may_not_do(slack: SlackSandbox, store: Store) -> None:
    """Whoever sent it is asked to delete it, without a button that could only fail."""
    ann = slack.person("ann")
    sent = ann.send("token xoxb-…")
    chat, sender = Chat(ann.dm.id, "direct"), Person(ann.id, "Ann")
    message = Message(
        chat=chat, message_id=sent["ts"], sender=sender, ts=datetime.now(UTC), text=sent["text"], addressed=True
    )
    settings = SlackSettings.of({"app_token": slack.app_token, "api_root": slack.root})
    async with SlackAdapter(settings, slack.token) as adapter:
        await offer_deletion(adapter, Panels(store), message)
    (told,) = ann.inbox
    assert actions(told) == []
    assert "please do that yourself" in read(told)


def test_a_direct_chat_is_called_by_its_person(store: Store) -> None:
    """A card that asks about a chat names it: a direct chat has no title, and its id says nothing to anybody."""
    services = Services.of(store)
    services.access.allow("U1", by="test", name="Ann")
    services.chats.record(Chat("D1", "direct"), Person("U1", "Ann"))
    services.chats.record(Chat("C1", "group", "general"), Person("U1", "Ann"))
    assert [services.chats.title(chat) for chat in ("D1", "C1", "D2")] == ["Ann", "general", ""]
