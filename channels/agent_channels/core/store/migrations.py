"""The schema, as a numbered list. A migration that shipped is never changed: append another."""

from __future__ import annotations

__all__ = ["MIGRATIONS"]

_FIRST: tuple[str, ...] = (
    # One row per raw event; the states are drawn in `agent_channels.core.journal.entry.State`.
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bot_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        delivery_id TEXT NOT NULL UNIQUE,
        payload TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'raw',
        received_at REAL NOT NULL,
        chat_id TEXT, thread_id TEXT, message_id TEXT, user_id TEXT,
        content TEXT, meta TEXT, image TEXT, attachments TEXT,
        offers INTEGER NOT NULL DEFAULT 0,
        offered_at REAL, answered_at REAL,
        UNIQUE (bot_id, event_id)
    )""",
    "CREATE INDEX inbox_open ON inbox (state, id) WHERE state NOT IN ('answered', 'dropped')",
    "CREATE INDEX inbox_message ON inbox (chat_id, message_id)",
    """CREATE TABLE people (
        user_id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', username TEXT,
        added_at REAL NOT NULL, added_by TEXT NOT NULL
    )""",
    """CREATE TABLE groups (
        chat_id TEXT PRIMARY KEY, require_mention INTEGER NOT NULL DEFAULT 1, senders TEXT, added_at REAL NOT NULL
    )""",
    # Chats that the bot has seen: maps a direct chat to its person, and lists the groups that nobody enabled yet.
    """CREATE TABLE chats (
        chat_id TEXT PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT, title TEXT, present INTEGER NOT NULL DEFAULT 1,
        seen_at REAL NOT NULL
    )""",
    """CREATE TABLE pairings (
        id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, chat_id TEXT NOT NULL, name TEXT NOT NULL, username TEXT,
        salt BLOB NOT NULL, code_hash BLOB NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        ended INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE panels (
        id TEXT PRIMARY KEY, chat_id TEXT NOT NULL, thread_id TEXT, message_id TEXT, grid TEXT NOT NULL, tappers TEXT,
        single_use INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL DEFAULT 'open',
        created_at REAL NOT NULL, expires_at REAL NOT NULL, snapshot TEXT,
        outcome TEXT, outcome_due INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX panels_open ON panels (chat_id, created_at) WHERE state = 'open'",
    "CREATE INDEX panels_message ON panels (chat_id, message_id)",
    "CREATE INDEX panels_due ON panels (outcome_due) WHERE outcome_due = 1",
    """CREATE TABLE presses (
        id INTEGER PRIMARY KEY, panel_id TEXT NOT NULL REFERENCES panels (id) ON DELETE CASCADE,
        position INTEGER NOT NULL, user_id TEXT NOT NULL, user TEXT NOT NULL, at REAL NOT NULL
    )""",
    # Our own messages to people, which must go out even if this process dies in between.
    """CREATE TABLE notices (
        id INTEGER PRIMARY KEY, chat_id TEXT NOT NULL, text TEXT NOT NULL, created_at REAL NOT NULL, claimed_at REAL
    )""",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, key TEXT, digest TEXT NOT NULL, chat_id TEXT NOT NULL, created_at REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'sending', result TEXT
    )""",
    "CREATE UNIQUE INDEX outbox_key ON outbox (key) WHERE key IS NOT NULL",
    """CREATE TABLE outbox_parts (
        outbox_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE, part INTEGER NOT NULL,
        state TEXT NOT NULL, message_id TEXT, error TEXT, at REAL NOT NULL, PRIMARY KEY (outbox_id, part)
    )""",
    "CREATE TABLE health (key TEXT PRIMARY KEY, value TEXT, at REAL NOT NULL)",
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, subject TEXT, detail TEXT)",
)

# Which session an entry was offered to, when it was written, which notices its sender got, and our reaction to it.
_WAITING: tuple[str, ...] = (
    "ALTER TABLE inbox ADD COLUMN session TEXT",
    "ALTER TABLE inbox ADD COLUMN said_at REAL",
    "ALTER TABLE inbox ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE inbox ADD COLUMN late INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE inbox ADD COLUMN mark TEXT",
    "CREATE INDEX inbox_mark ON inbox (chat_id) WHERE mark IS NOT NULL",
    "CREATE INDEX inbox_ended ON inbox (id) WHERE state IN ('answered', 'dropped')",
)

# Host sessions, how each is reached, and questions whose answers a caller waits for.
_SESSIONS: tuple[str, ...] = (
    # proven: modes in which the agent was seen to answer; hooks: last time each hook of this session ran, as JSON;
    # loops: consecutive continuations by the Stop hook; ended_at: a person ended the waiting from the chat.
    """CREATE TABLE sessions (
        id TEXT PRIMARY KEY, started_at REAL NOT NULL, client TEXT NOT NULL DEFAULT '', mode TEXT NOT NULL DEFAULT '',
        why TEXT NOT NULL DEFAULT '', proven TEXT NOT NULL DEFAULT '', hooks TEXT NOT NULL DEFAULT '{}',
        pulled_at REAL, loops INTEGER NOT NULL DEFAULT 0, loops_at REAL, ended_at REAL
    )""",
    "ALTER TABLE inbox ADD COLUMN mode TEXT",
    "ALTER TABLE inbox ADD COLUMN rung TEXT",
    "ALTER TABLE inbox ADD COLUMN prompt_id TEXT",
    "ALTER TABLE people ADD COLUMN approver INTEGER NOT NULL DEFAULT 0",
    # kind: ask, permission, question; state: open, answered, closed; lease_until: the caller waits at least until then.
    """CREATE TABLE prompts (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, request_id TEXT, session TEXT NOT NULL DEFAULT '', spec TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'open', sent INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL,
        expires_at REAL NOT NULL, lease_until REAL NOT NULL, chosen TEXT NOT NULL DEFAULT '[]', result TEXT,
        typing_by TEXT
    )""",
    "CREATE INDEX prompts_open ON prompts (expires_at) WHERE state = 'open'",
    "ALTER TABLE panels ADD COLUMN prompt_id TEXT",
    "ALTER TABLE panels ADD COLUMN sentence TEXT",
    "CREATE INDEX panels_prompt ON panels (prompt_id) WHERE prompt_id IS NOT NULL",
)

# How far a bot was read, for platforms that keep no queue; the chat whose access rule a thread follows.
_READING: tuple[str, ...] = (
    "CREATE TABLE cursors (bot_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (bot_id, name))",
    "ALTER TABLE chats ADD COLUMN parent_id TEXT",
)

# Messages that became one event: the first row holds them in `joined` (JSON) and waits for more until `join_until` in
# the state joining; the rows of the others name it in `joined_to`, in the state joined.
_JOINING: tuple[str, ...] = (
    "ALTER TABLE inbox ADD COLUMN joined TEXT",
    "ALTER TABLE inbox ADD COLUMN joined_to INTEGER",
    "ALTER TABLE inbox ADD COLUMN join_until REAL",
)

# What was written, both ways. kind: message, tap, reaction; own: sent for the agent; sought: the text that a search
# looks at; files: names (JSON). The full-text index is created by the service, since not every SQLite supports it.
_HISTORY: tuple[str, ...] = (
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL, message_id TEXT NOT NULL, kind TEXT NOT NULL,
        own INTEGER NOT NULL, user TEXT NOT NULL, user_id TEXT NOT NULL, text TEXT NOT NULL, sought TEXT NOT NULL,
        at REAL NOT NULL, reply_to TEXT, reply_user TEXT, reply_text TEXT, thread_id TEXT, thread_name TEXT,
        files TEXT NOT NULL DEFAULT '[]', forward_from TEXT, edited INTEGER NOT NULL DEFAULT 0,
        indexed INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX history_chat ON history (chat_id)",
    "CREATE INDEX history_message ON history (chat_id, message_id)",
    "CREATE INDEX history_at ON history (at)",
    "CREATE INDEX history_new ON history (id) WHERE indexed = 0",
)

# One-time codes of the operator, each for one person; hashes only.
_INVITES: tuple[str, ...] = (
    """CREATE TABLE invites (
        code_hash BLOB PRIMARY KEY, created_at REAL NOT NULL, expires_at REAL NOT NULL, used_at REAL, used_by TEXT
    )""",
)

# Names of threads; the thread of a notice; patterns that call the bot in a group; what was written there to others.
_GROUPS: tuple[str, ...] = (
    """CREATE TABLE threads (
        chat_id TEXT NOT NULL, thread_id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (chat_id, thread_id)
    )""",
    "ALTER TABLE notices ADD COLUMN thread_id TEXT",
    "ALTER TABLE groups ADD COLUMN patterns TEXT NOT NULL DEFAULT '[]'",
    """CREATE TABLE overheard (
        id INTEGER PRIMARY KEY, chat_id TEXT NOT NULL, thread_id TEXT, message_id TEXT NOT NULL, user TEXT NOT NULL,
        user_id TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL
    )""",
    "CREATE INDEX overheard_chat ON overheard (chat_id, id)",
)

# Indexes for the queries on the hot path. SQLite uses a partial index only for a query that repeats the index's
# condition word for word, which none did for the one that is dropped.
_FOUND: tuple[str, ...] = (
    "DROP INDEX inbox_open",
    "CREATE INDEX inbox_state ON inbox (state)",
    # The states are those of `agent_channels.core.journal.entry.OPEN`, in its order.
    """CREATE INDEX inbox_chat_open ON inbox (chat_id) WHERE state IN
        ('raw', 'joining', 'fetching', 'ready', 'offering', 'offered', 'asked')""",
    "CREATE INDEX presses_panel ON presses (panel_id)",
    "CREATE INDEX chats_user ON chats (user_id)",
)

# Tables and columns under the names that the code has for what they hold.
_NAMES: tuple[str, ...] = (
    "ALTER TABLE settings RENAME TO key_values",
    "DROP INDEX overheard_chat",
    "ALTER TABLE overheard RENAME TO group_context",
    "CREATE INDEX group_context_chat ON group_context (chat_id, id)",
    "ALTER TABLE inbox RENAME COLUMN told TO wait_notified",
    "ALTER TABLE inbox RENAME COLUMN late TO late_notified",
    "ALTER TABLE inbox RENAME COLUMN rung TO announced_to",
    "DROP INDEX inbox_mark",
    "ALTER TABLE inbox RENAME COLUMN mark TO receipt",
    "CREATE INDEX inbox_receipt ON inbox (chat_id) WHERE receipt IS NOT NULL",
    "ALTER TABLE inbox RENAME COLUMN joined TO group_messages",
    "ALTER TABLE inbox RENAME COLUMN join_until TO group_until",
    "ALTER TABLE inbox RENAME COLUMN joined_to TO group_entry",
)

# Who joined which group after which line of the history; what retention looks for.
_JOINS: tuple[str, ...] = (
    """CREATE TABLE joins (
        chat_id TEXT NOT NULL, user_id TEXT NOT NULL, after INTEGER NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (chat_id, user_id)
    )""",
    "CREATE INDEX chats_seen ON chats (seen_at)",
    "CREATE INDEX audit_at ON audit (at)",
)

# Waits that outlive a process. host: the keys of the host process that waits for the verdict on a prompt it relayed, a
# line each. An `ask` is taken once its result was written to the host; until then its answer may become an event.
_LASTING_WAITS: tuple[str, ...] = (
    "ALTER TABLE prompts ADD COLUMN host TEXT NOT NULL DEFAULT ''",
    """UPDATE prompts SET state = 'taken' WHERE kind = 'ask' AND state = 'answered'
        AND id NOT IN (SELECT prompt_id FROM inbox WHERE state = 'asked' AND prompt_id IS NOT NULL)""",
    # Each chat's turn is found without looking at the rows.
    "CREATE INDEX inbox_ready ON inbox (chat_id) WHERE state = 'ready'",
)

# What the agent did from a prompt to its end. places: the chats that it works for, as JSON; detail: what people are
# shown of it, as JSON; seen_at: when its host last said something; ending: done, stopped, failed, interrupted, gone.
# final_answers: what the agent said at the end, for each chat of the turn; state: due, offered, wanted, sent,
# dropped.
_TURNS: tuple[str, ...] = (
    """CREATE TABLE turns (
        id TEXT PRIMARY KEY, session TEXT NOT NULL, began_at REAL NOT NULL, seen_at REAL NOT NULL,
        places TEXT NOT NULL DEFAULT '[]', detail TEXT NOT NULL DEFAULT '[]', stop_at REAL, stop_by TEXT, ended_at REAL,
        ending TEXT
    )""",
    "CREATE INDEX turns_running ON turns (session, began_at) WHERE ended_at IS NULL",
    """CREATE TABLE final_answers (
        id INTEGER PRIMARY KEY, turn_id TEXT NOT NULL, session TEXT NOT NULL, chat_id TEXT NOT NULL, thread_id TEXT,
        since REAL NOT NULL, text TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'due', created_at REAL NOT NULL
    )""",
    "CREATE INDEX final_answers_due ON final_answers (id) WHERE state IN ('due', 'wanted')",
    # A grid with a button that stops this turn, or sends what was said at its end.
    "ALTER TABLE panels ADD COLUMN turn_id TEXT",
)

# The status message of a turn in one chat or thread; state: open until it shows how the turn ended, then over. Its
# message is the one that holds the panel. chats.progress: what people in a chat see of a turn, where they chose that.
_PROGRESS: tuple[str, ...] = (
    """CREATE TABLE progress_messages (
        id INTEGER PRIMARY KEY, turn_id TEXT NOT NULL, chat_id TEXT NOT NULL, thread_id TEXT, panel_id TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'open', created_at REAL NOT NULL
    )""",
    "CREATE INDEX progress_messages_turn ON progress_messages (turn_id)",
    "CREATE INDEX progress_messages_open ON progress_messages (id) WHERE state = 'open'",
    "ALTER TABLE chats ADD COLUMN progress TEXT",
)

# The same prompt again in one session, round after round. delivery_id: the message that began it; host: the keys of its
# host, a line each; in_a_row: how often the Stop hook let the turn go on since a tool was used; due_at: from when on
# the session has to be woken for the round; ending: promised, rounds, stopped, failed, interrupted, gone, blocked,
# second.
_LOOPS: tuple[str, ...] = (
    """CREATE TABLE loops (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL, host TEXT NOT NULL DEFAULT '', chat_id TEXT, thread_id TEXT,
        delivery_id TEXT, prompt TEXT NOT NULL, word TEXT NOT NULL, rounds_max INTEGER NOT NULL,
        round INTEGER NOT NULL DEFAULT 1, in_a_row INTEGER NOT NULL DEFAULT 0, due_at REAL, begun_by TEXT NOT NULL,
        began_at REAL NOT NULL, moved_at REAL NOT NULL, seen_at REAL NOT NULL, ended_at REAL, ending TEXT
    )""",
    "CREATE UNIQUE INDEX loops_running ON loops (session) WHERE ended_at IS NULL",
    "ALTER TABLE notices ADD COLUMN silent INTEGER NOT NULL DEFAULT 0",
)

# trace: the W3C `traceparent` of the send that a panel came with, if that was traced; its answers go on with it.
_TRACES: tuple[str, ...] = ("ALTER TABLE panels ADD COLUMN trace TEXT",)

# late: the event waited before it came here, because the project was away.
_LATE: tuple[str, ...] = ("ALTER TABLE inbox ADD COLUMN late INTEGER NOT NULL DEFAULT 0",)

# Hosts that do not tell a server which session it serves. host_key: the process that started the server; host_id: the
# host's own id for the session, as its hooks say it.
_HOSTS: tuple[str, ...] = (
    "ALTER TABLE sessions ADD COLUMN host_key TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN host_id TEXT NOT NULL DEFAULT ''",
)

# secret: 1 while what a person said is kept with a credential in it, for the agent has yet to act on it; 2 once that is
# masked.
_SECRETS: tuple[str, ...] = (
    "ALTER TABLE inbox ADD COLUMN secret INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX inbox_secret ON inbox (secret, id) WHERE secret > 0",
)

# A row's own hash, over its values and that of the row before it. Earlier rows get theirs with the next one. Of its
# detail it has the hash `words`, with a salt, so that the words themselves can be forgotten.
_CHAIN: tuple[str, ...] = (
    "ALTER TABLE audit ADD COLUMN before TEXT",
    "ALTER TABLE audit ADD COLUMN hash TEXT",
    "ALTER TABLE audit ADD COLUMN salt TEXT",
    "ALTER TABLE audit ADD COLUMN words TEXT",
)

# allowed_by: the ids of the people who have allowed what several have to, as JSON.
_POLICY: tuple[str, ...] = ("ALTER TABLE prompts ADD COLUMN allowed_by TEXT NOT NULL DEFAULT '[]'",)

# offer: nobody asked what the panel's buttons do, so no word that is typed is an answer to it.
_OFFERS: tuple[str, ...] = ("ALTER TABLE panels ADD COLUMN offer INTEGER NOT NULL DEFAULT 0",)

# Offers to delete a message with a secret, which had no column of their own before.
_SECRET_OFFERS: tuple[str, ...] = ("UPDATE panels SET offer = 1, turn_id = NULL WHERE turn_id = '·secret·'",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _FIRST, _WAITING, _SESSIONS, _READING, _JOINING, _HISTORY, _INVITES, _GROUPS, _FOUND, _NAMES, _JOINS,
    _LASTING_WAITS, _TURNS, _PROGRESS, _LOOPS, _TRACES, _LATE, _HOSTS, _SECRETS, _CHAIN, _POLICY, _OFFERS,
    _SECRET_OFFERS,
)  # fmt: skip
