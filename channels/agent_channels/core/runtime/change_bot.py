"""What a store forgets and keeps when its project gets another bot.

People, history and open messages stay. The ids of messages are the earlier bot's: the new one may have others by the
same numbers, which must not be edited, answered or closed in their place.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_channels.core.services import Services

__all__ = ["change_bot", "move_chats"]


def change_bot(services: Services, homes: Mapping[str, str]) -> None:
    """Make everything in a store independent of its bot, in one transaction.

    `homes`: the direct chats of people with the new bot, by user id.
    """
    with services.store.transaction():
        move_chats(services, homes)
        services.panels.forget_messages()
        services.prompts.show_again()
        services.progress_messages.finish_all()
        services.outbox.forget_messages()


def move_chats(services: Services, homes: Mapping[str, str]) -> None:
    """Give people's direct chats, with what is open and known in them, the ids that they have with the new bot."""
    with services.store.transaction():
        for old_id, new_id in services.access.move_direct_chats(homes).items():
            services.history.migrate_chat(old_id, new_id)
            services.inbox.move_chat(old_id, new_id)
