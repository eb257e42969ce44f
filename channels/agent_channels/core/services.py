"""Every table's service, made once for a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.frozen import frozen
from agent_channels.core.host.final_answers import FinalAnswers
from agent_channels.core.host.loops import Loops
from agent_channels.core.host.progress_messages import ProgressMessages
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.host.turns import Turns
from agent_channels.core.journal.cursors import Cursors
from agent_channels.core.journal.group_context import GroupContext
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.people.access import Access
from agent_channels.core.people.chats import Chats
from agent_channels.core.people.invites import Invites
from agent_channels.core.people.pairing import Pairing
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.store.notices import Notices
from agent_channels.core.store.steady_clock import SteadyClock

__all__ = ["Services"]


@frozen
class Services:
    """The services of one open store. Each table is written by one of them and by nothing else."""

    store: Store
    key_values: KeyValue
    audit: Audit
    notices: Notices
    health: Health
    cursors: Cursors
    history: History
    inbox: Inbox
    outbox: Outbox
    group_context: GroupContext
    chats: Chats
    access: Access
    pairing: Pairing
    invites: Invites
    sessions: Sessions
    turns: Turns
    final_answers: FinalAnswers
    progress_messages: ProgressMessages
    loops: Loops
    panels: Panels
    prompts: Prompts

    @classmethod
    def of(cls, store: Store, *, clock: Callable[[], float] | None = None) -> Self:
        """Make the services of a store.

        `clock` (epoch seconds) is what codes and questions expire by; by default codes expire by the system's clock,
        which people see, and questions and offers by one that cannot be set.
        """
        key_values, audit, notices = KeyValue(store), Audit(store), Notices(store)
        steady, clock = clock or SteadyClock(key_values), clock or time.time
        history, chats = History(store), Chats(store, key_values)
        inbox = Inbox(store, history, clock=steady)
        progress_messages = ProgressMessages(store)
        access = Access(store, chats, key_values, audit)
        pairing = Pairing(access, inbox, notices, key_values, audit, clock=clock)
        panels = Panels(store, clock=steady)
        return cls(
            store=store,
            key_values=key_values,
            audit=audit,
            notices=notices,
            health=Health(store),
            cursors=Cursors(store),
            history=history,
            inbox=inbox,
            outbox=Outbox(store),
            group_context=GroupContext(store),
            chats=chats,
            access=access,
            pairing=pairing,
            invites=Invites(pairing, audit, clock=clock),
            sessions=Sessions(store),
            turns=Turns(store),
            final_answers=FinalAnswers(store),
            progress_messages=progress_messages,
            loops=Loops(store, notices, audit, progress_messages),
            panels=panels,
            prompts=Prompts(panels, inbox, access, clock=steady),
        )
