"""Set-ups that are broken at random: environments, settings, databases and files of the agent host."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from agent_channels.core.settings.state_folder import adopt
from agent_channels.core.store.database import Store

__all__ = ["BrokenSetup", "broken_setups", "build", "pristine_database"]

STATES = Path(__file__).resolve().parents[1] / "states"
TOKENS = {
    "telegram": "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiA",
    "discord": "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE." + "abcdefghijklmnopqrstuvwxyz0123456789AB",
}
# Nothing is asked of a name server, and nobody listens there.
NOBODY = "127.0.0.1:1"
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
URLS = st.one_of(
    st.sampled_from([
        NOBODY, f"http://{NOBODY}", f"socks://{NOBODY}/", f"SOCKS5H://u:p@{NOBODY}", f"https://{NOBODY}", "http://",
        "http://[::1", "http://[::1]:1", "ftp://x", "http://u:p#w@127.0.0.1", "http://127.0.0.1:port", "://", "*", "",
        "${HTTPS_PROXY}",
    ]),
    WORDS,
)  # fmt: skip
PLACES = st.sampled_from([
    "/proc/nonexistent/x", "@folder", "@file", "@file/below", "@text", "@odd", "@pipe", "relative/place",
    "~no-such-user/x", "", "@long", "${HOME}",
])  # fmt: skip
VARIABLES: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "{}_PROXY"],
        URLS,
    ),
    **dict.fromkeys(
        ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
         "SSLKEYLOGFILE", "XDG_RUNTIME_DIR", "{}_STATE_DIR", "CLAUDE_PROJECT_DIR", "TMPDIR", "CLAUDE_CONFIG_DIR",
         "CHANNELS_DATA_DIR"],
        PLACES,
    ),
    **dict.fromkeys(
        ["{}_BOT_TOKEN", "{}_POLL_TIMEOUT_S", "{}_GATEWAY_URL", "CHANNELS_MODE", "CHANNELS_CLAIM", "LANG", "TZ",
         "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_PID", "PATH", "COLUMNS"],
        WORDS,
    ),
}  # fmt: skip
ODD_VALUES: list[Any] = [
    None, "", b"\xff\xfe", "x" * 50, "{", "[]", "null", "[1]", '{"a":1}', -1, 0, 1e308, float("inf"), 2**62, -(2**62),
    b"\0" * 10, "2020", "nan", "\x1b[31m", "[[[[", "true", '[{"label": 1}]',
]  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 10**9), WORDS, st.just("channels")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["mcpServers", "telegram", "discord", "command", "args", "env", "hooks", "Stop",
                                 "enabledPlugins", "disabledMcpjsonServers", "allowedMcpServers", "projects"]),
                WORDS,
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)  # fmt: skip
TEXTS = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from([b"", b"{" * 5000, b"[" * 200_000, b"\xff\xfe", b"!!python/object:x y", b"&a [*a]", b"- 1"]),
)
SETTINGS = st.one_of(
    TEXTS,
    st.dictionaries(
        st.sampled_from(["mode", "claim", "language", "grace_s", "proxy", "api_root", "transcribe", "send_roots",
                         "oops", "keep_rows", "stop_cap", "ipv4", "marks"]),
        st.one_of(JSON, URLS, st.floats(), st.sampled_from([".inf", "1e999", "2020-01-01"])),
        max_size=3,
    ).map(lambda values: "\n".join(f"{name}: {json.dumps(value)}" for name, value in values.items()).encode()),
)  # fmt: skip
FILES: dict[str, st.SearchStrategy[bytes]] = {
    "state/config.yaml": SETTINGS,
    "state/.env": st.one_of(TEXTS, WORDS.map(lambda text: f"TELEGRAM_BOT_TOKEN={text}\nX='".encode())),
    "project/.mcp.json": TEXTS,
    "project/.claude/settings.json": TEXTS,
    "project/.claude/settings.local.json": TEXTS,
    "home/.claude.json": TEXTS,
    "home/.claude/settings.json": TEXTS,
}


@dataclass(frozen=True)
class BrokenSetup:
    """A channel, variables over those that work, the content of files (None: a folder of that name), and what befell
    the database: none, a cut, odd bytes or odd values, by `seed`.
    """

    channel: str
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes | None] = field(default_factory=dict)
    database: str = "whole"
    seed: int = 0

    def __repr__(self) -> str:
        files = {path: None if content is None else len(content) for path, content in self.files.items()}
        variables = {name: value[:80] for name, value in self.variables.items()}
        return f"BrokenSetup({self.channel}, {variables}, bytes in files: {files}, {self.database}, seed={self.seed})"


@st.composite
def broken_setups(draw: st.DrawFn) -> BrokenSetup:
    """Set-ups that are broken in a few ways at once."""
    names = draw(st.lists(st.sampled_from(sorted(VARIABLES)), max_size=4, unique=True))
    paths = draw(st.lists(st.sampled_from(sorted(FILES)), max_size=3, unique=True))
    return BrokenSetup(
        channel=draw(st.sampled_from(sorted(TOKENS))),
        variables={name: draw(VARIABLES[name]) for name in names},
        files={path: draw(st.one_of(FILES[path], st.none()) if draw(st.booleans()) else FILES[path]) for path in paths},
        database=draw(st.sampled_from(["none", "whole", "cut", "bytes", "bytes", "values", "values", "values"])),
        seed=draw(st.integers(0, 2**32)),
    )


def pristine_database(folder: Path) -> Path:
    """Make a database with a row or more in most tables, of today's schema."""
    path = folder / "channel.db"
    path.touch(mode=0o600)
    db = sqlite3.connect(path)
    db.executescript((STATES / "0.1.0.sql").read_text(encoding="utf-8"))
    db.close()
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


def build(setup: BrokenSetup, folder: Path, database: Path) -> dict[str, str]:
    """Make the set-up in an empty folder; return its whole environment."""
    for name in ("state", "project/.claude", "home/.claude", "run", "places/folder"):
        (folder / name).mkdir(parents=True, mode=0o700)
    (folder / "places" / "file").touch()
    (folder / "places" / "text").write_text("-----BEGIN CERTIFICATE-----\n" + "A" * 64)
    (folder / "places" / "ødd \u202e").mkdir()
    for path, content in setup.files.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
    _build_database(setup, folder / "state" / "channel.db", database)
    # The user's own, however broken: of a folder that is not, nothing would be read.
    adopt(folder / "state", folder / "data")
    prefix = setup.channel.upper()
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "CLAUDE_PROJECT_DIR": str(folder / "project"),
        f"{prefix}_STATE_DIR": str(folder / "state"),
        f"{prefix}_BOT_TOKEN": TOKENS[setup.channel],
        f"{prefix}_API_ROOT": f"http://{NOBODY}",
        "CHANNELS_CLAIM": "always",
        "CHANNELS_DATA_DIR": str(folder / "data"),
    }
    places = {
        "@folder": "places/folder", "@file/below": "places/file/below", "@file": "places/file", "@text": "places/text",
        "@odd": "places/ødd \u202e", "@pipe": "places/pipe", "@long": "x" * 300,
    }  # fmt: skip
    for name, value in setup.variables.items():
        environ[name.format(prefix)] = str(folder / places[value]) if value in places else value
    return environ


def _build_database(setup: BrokenSetup, path: Path, whole: Path) -> None:
    if setup.database == "none":
        return
    pristine = whole.read_bytes()
    path.write_bytes(pristine)
    path.chmod(0o600)
    chance = random.Random(setup.seed)  # noqa: S311
    match setup.database:
        case "cut":
            path.write_bytes(pristine[: chance.randrange(len(pristine))])
        case "bytes":
            data = bytearray(pristine)
            for _ in range(chance.choice([1, 10, 200, 2000])):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path.write_bytes(data)
        case "values":
            _write_odd_values(path, chance)


def _write_odd_values(path: Path, chance: random.Random) -> None:
    db = sqlite3.connect(path)
    tables = [
        row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%fts%'")
    ]
    for _ in range(chance.randint(1, 5)):
        table = chance.choice(tables)
        if not (columns := [row[1] for row in db.execute(f"PRAGMA table_info({table})")]):
            continue
        value = chance.choice(ODD_VALUES)
        # What is written as text is not decoded.
        place = "CAST(? AS TEXT)" if isinstance(value, bytes) and chance.random() < 0.7 else "?"
        try:
            db.execute(f"UPDATE {table} SET {chance.choice(columns)} = {place}", (value,))
        except sqlite3.Error:
            continue
    db.commit()
    db.close()


def clear(folder: Path) -> None:
    """Remove a set-up."""
    shutil.rmtree(folder, ignore_errors=True)
