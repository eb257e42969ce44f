"""Whether a message goes out in its platform's rich form: people choose in each chat, and not every server takes it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TypeVar

from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import ParseFailed, Unsupported
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.log import redact
from agent_channels.core.outbound.retry import SendReport
from agent_channels.core.people.chats import Chats
from agent_channels.core.settings.config import Rich
from agent_channels.core.store.health import Health
from agent_channels.core.text.formatted_text import RenderedPart

__all__ = ["RichForms"]

logger = logging.getLogger(__name__)
Written = TypeVar("Written", Outgoing, RenderedPart)


class RichForms:
    """Decide about the rich forms of one open bot; a server that does not know them is not asked again."""

    def __init__(self, chats: Chats, health: Health, default: Rich) -> None:
        """`default`: what holds in chats where nobody chose."""
        self._chats, self._health, self._default = chats, health, default
        self._known: bool | None = None

    def choice(self, chat_id: str) -> str:
        """Return what holds in a chat: auto or off."""
        return self._chats.rich(chat_id) or self._default

    def wanted(self, chat_id: str) -> bool:
        """Return whether messages in a chat go out in their rich form."""
        return self._known is not False and self.choice(chat_id) == "auto"

    def worked(self) -> None:
        """Record that the server took a rich form."""
        if self._known is None and self._health.get("plain_only"):
            self._health.set_plain_only("")
        self._known = True

    def plainer(self, written: Written, error: ParseFailed | Unsupported, report: SendReport) -> Written:
        """Return a refused text without its rich form, or if it has none, without formatting.

        Raises `error` if neither is left. `report` is told of the loss of formatting; of a rich form, the words and
        their formatting stay.
        """
        if written.rich is not None:
            if isinstance(error, Unsupported):
                self._forget(error)
            else:
                logger.warning("a message is sent as plain text: %s", redact(str(error)))
            return replace(written, rich=None)
        if isinstance(error, Unsupported) or (written.format == "text" and not written.spans):
            raise error
        report.notes.append(f"sent as plain text, since the platform could not parse the formatting ({error})")
        plain = written.plain or written.text
        return replace(written, text=plain, format="text", spans=(), plain=plain)

    def _forget(self, error: Unsupported) -> None:
        """Record that the server does not know rich forms: none is sent before the next start."""
        self._known = False
        logger.warning("messages are sent as plain text from now on: %s", redact(str(error)))
        self._health.set_plain_only(words_of(error))
