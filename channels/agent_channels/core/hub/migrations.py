"""The hub's tables, as numbered migrations: the same statements for SQLite and PostgreSQL.

`{serial}` stands for a primary key that the database numbers in the order of insertion. Times are epoch seconds by the
database's clock. A migration that shipped is never changed.
"""

from __future__ import annotations

__all__ = ["MIGRATIONS"]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Who reads each bot: `bot` is channel:bot_id, and the epoch grows with each new owner of the lease.
        """CREATE TABLE bots (
            bot TEXT PRIMARY KEY, owner TEXT NOT NULL, epoch BIGINT NOT NULL, lease_until DOUBLE PRECISION NOT NULL,
            reader_json TEXT NOT NULL
        )""",
        # How far each bot was read, where the platform keeps no queue of its own.
        "CREATE TABLE cursors (bot TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (bot, name))",
        # The raw events and the project that gets each; '' is not decided yet. `state` is waiting, claimed, done, or
        # nobody. told: 1 if its sender was told that it waits, 2 if there is nothing to tell.
        """CREATE TABLE events (
            id {serial}, bot TEXT NOT NULL, event_id TEXT NOT NULL, project TEXT NOT NULL, payload TEXT NOT NULL,
            received_at DOUBLE PRECISION NOT NULL, route_key TEXT NOT NULL, chat_id TEXT NOT NULL,
            thread_id TEXT NOT NULL, user_id TEXT NOT NULL, state TEXT NOT NULL, claimed_by TEXT NOT NULL,
            claimed_until DOUBLE PRECISION NOT NULL, done_at DOUBLE PRECISION NOT NULL, told BIGINT NOT NULL DEFAULT 0,
            UNIQUE (bot, event_id, project)
        )""",
        "CREATE INDEX events_open ON events (bot, project, id) WHERE state <> 'done'",
        "CREATE INDEX events_done ON events (bot, done_at) WHERE state = 'done'",
        # Which project gets what: kind is thread, chat, person or default.
        """CREATE TABLE routes (
            bot TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, project TEXT NOT NULL, made_by TEXT NOT NULL,
            made_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (bot, kind, key)
        )""",
        # The projects of each bot. people, approvers and waiting (the chats of those who ask to be let in) are JSON
        # lists of ids, enabled is {chat_id: since}, gates is {chat_id of a group: [senders or null, hears all]}.
        """CREATE TABLE members (
            bot TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL, machine TEXT NOT NULL,
            people TEXT NOT NULL, approvers TEXT NOT NULL, enabled TEXT NOT NULL, gates TEXT NOT NULL,
            waiting TEXT NOT NULL, session_state TEXT NOT NULL, seen_at DOUBLE PRECISION NOT NULL,
            joined_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (bot, project), UNIQUE (bot, name)
        )""",
        # Which project sent or got a message, so that an answer to it, or a new version of it, finds the way.
        """CREATE TABLE sent (
            bot TEXT NOT NULL, chat_id TEXT NOT NULL, message_id TEXT NOT NULL, project TEXT NOT NULL,
            at DOUBLE PRECISION NOT NULL, PRIMARY KEY (bot, chat_id, message_id)
        )""",
        "CREATE INDEX sent_at ON sent (bot, at)",
        # Whom a person was asked to write to, in each place: choices is a JSON list of projects, message_id is '' until
        # the question was sent, project is '' until it was answered.
        """CREATE TABLE questions (
            bot TEXT NOT NULL, chat_id TEXT NOT NULL, thread_id TEXT NOT NULL, user_id TEXT NOT NULL,
            message_id TEXT NOT NULL, choices TEXT NOT NULL, project TEXT NOT NULL, asked_at DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (bot, chat_id, thread_id, user_id)
        )""",
        "CREATE INDEX questions_message ON questions (bot, chat_id, message_id)",
    ),
    (
        # The processes that read a bot while no session runs; `keeper` names the lock domain that each one is alone in,
        # and projects is a JSON list of those that it may start.
        """CREATE TABLE keepers (
            bot TEXT NOT NULL, keeper TEXT NOT NULL, machine TEXT NOT NULL, pid BIGINT NOT NULL, projects TEXT NOT NULL,
            seen_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (bot, keeper)
        )""",
        # The projects that somebody asked to be started: `state` is asked, or begun once a keeper does it. A row goes
        # when the outcome was told.
        """CREATE TABLE starts (
            bot TEXT NOT NULL, project TEXT NOT NULL, state TEXT NOT NULL, user_id TEXT NOT NULL, chat_id TEXT NOT NULL,
            thread_id TEXT NOT NULL, asked_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (bot, project)
        )""",
    ),
    # The lock domain in which each project's process runs: who is in it too knows at once when that one is dead.
    ("ALTER TABLE members ADD COLUMN domain TEXT NOT NULL DEFAULT ''",),
    # What waits for a decision is looked for before each message, beside all that nobody got.
    ("CREATE INDEX events_undecided ON events (bot, route_key) WHERE project = '' AND state = 'waiting'",),
)
