"""Waking an idle session of a host that takes words from outside, but no messages of its own kind.

The words only say that something waits: the host's prompt hook adds the messages to them, or the agent fetches them.
"""

from __future__ import annotations

import logging

from agent_channels.core.errors import Unavailable
from agent_channels.core.host.agents.agent_host import SessionBell
from agent_channels.core.host.hand_over import ring_text
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact

__all__ = ["Doorbell"]

logger = logging.getLogger(__name__)


class Doorbell:
    """Rings once for each message that the hooks or the agent of our session have to take."""

    def __init__(
        self, bell: SessionBell, inbox: Inbox, sessions: Sessions, modes: Modes, session: str, source: str
    ) -> None:
        self._bell, self._inbox, self._sessions, self._modes = bell, inbox, sessions, modes
        self._session, self._source = session, source

    async def ring(self) -> bool:
        """Ring if a message waits for which it was not done; return False if it has to be tried again."""
        if self._modes.current()[0] not in {"hook", "pull"} or self._modes.hook_is_waiting():
            return True
        if not self._inbox.unannounced(self._session):
            return True
        known = self._sessions.get(self._session)
        if known is None or not known.host_id:
            # No hook has said yet which session of the host's this is; the first one hands over what waits.
            return True
        try:
            await self._bell.ring(known.host_id, ring_text(self._source))
        except Unavailable as error:
            logger.warning("the session cannot be woken: %s", redact(str(error)))
            return False
        self._inbox.announce(self._session)
        return True
