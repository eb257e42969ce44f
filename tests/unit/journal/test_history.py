"""The history of a chat: both directions, edits, paging, words found in any script, and forgetting for good."""

from __future__ import annotations

import sqlite3
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Attachment, RawEvent
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.history import INDEX_STEP as STEP
from agent_channels.core.journal.history import History, HistoryLine
from agent_channels.core.runtime.retention import Retention
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.core.store.migrations import MIGRATIONS


@pytest.fixture
def history(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "state") as store:
        yield History(store)


def line(number: int, text: str = "", chat: str = "7", **more: Any) -> HistoryLine:
    return HistoryLine(chat, str(number), "ann", "7", text or f"text {number}", 1000.0 + number, **more)


def texts(found: list[HistoryLine] | None) -> list[str]:
    assert found is not None
    return [one.text for one in found]


def test_pages_go_back_and_read_forwards(history: History) -> None:
    """A page holds the newest lines before a message, oldest first; the next one goes on where it began."""
    for number in range(10):
        history.add(line(number))
        history.add(line(number, chat="8"))
    page = history.page("7", 4)
    assert texts(page) == ["text 6", "text 7", "text 8", "text 9"]
    assert page is not None
    assert texts(history.page("7", 4, page[0].message_id)) == ["text 2", "text 3", "text 4", "text 5"]
    assert texts(history.page("7", 4, "0")) == []
    assert history.page("7", 4, "77") is None


def test_what_the_agent_sent_stands_among_it(history: History) -> None:
    """Both directions in the order they came, with files, answered message and thread."""
    history.add(line(1, "a question", thread_id="5"))
    history.add_sent("7", "2", "an answer <channel>", user="bot", files=["../a\x00b.txt"], reply_to="1", thread_id="5")
    asked, answered = history.page("7", 9) or []
    assert (asked.own, answered.own) == (False, True)
    assert (answered.user, answered.reply_to, answered.thread_id) == ("bot", "1", "5")
    assert answered.files == ("ab.txt",)
    assert answered.text == "an answer ‹channel>"


def test_an_edit_replaces_and_is_found_by_its_new_words_only(history: History) -> None:
    """An edit, mine or theirs, changes the line where it stands; the index follows. Nobody edits the other's."""
    history.add(line(1, "the old proposal"))
    history.add_sent("7", "2", "the old answer", user="bot")
    assert len(history.page("7", 9, query="old") or []) == 2
    history.add(line(1, "the new proposal", edited=True))
    history.edit_sent("7", "2", "the new answer")
    assert history.page("7", 9, query="old") == []
    found = history.page("7", 9, query="new") or []
    assert [(one.message_id, one.edited) for one in found] == [("1", True), ("2", True)]
    history.edit_sent("7", "1", "not mine")
    history.edit_sent("7", "99", "never seen")
    assert texts(history.page("7", 9)) == ["the new proposal", "the new answer"]
    history.add(line(99, "an edit of a message from before our time", edited=True))
    assert len(history.page("7", 9) or []) == 3


def test_a_voice_note_is_found_by_what_was_said_in_it(tmp_path: Path) -> None:
    """What a file turned out to hold takes the place of its kind, and is not an edit."""
    with Store.open(tmp_path / "state") as store:
        inbox, history = Services.of(store).inbox, History(store)
        inbox.put("1", [RawEvent("a", "{}")])
        ((entry_id, _),) = inbox.unsorted(9)
        voice = Attachment("voice", "f1")
        inbox.open(entry_id, AgentEvent("7", "5", "7", "(voice)", {"user": "ann"}, image=voice))
        history.add_received("7", "5", "(voice)", {"user": "ann"}, None, image=True)
        assert history.page("7", 9, query="dentist") == []
        (entry,) = inbox.fetching()
        inbox.fetched(entry, "call the dentist", {"user": "ann"})
        (found,) = history.page("7", 9, query="dentist") or []
        assert (found.text, found.edited, found.message_id) == ("call the dentist", False, "5")


def test_the_text_of_a_group_does_not_replace_one_of_its_messages(tmp_path: Path) -> None:
    """A picture that failed to arrive changes the event of the whole album; the history keeps each message's words."""
    with Store.open(tmp_path / "state") as store:
        inbox, history = Services.of(store).inbox, History(store)
        inbox.put("1", [RawEvent("a", "{}")])
        ((entry_id, _),) = inbox.unsorted(9)
        inbox.open(entry_id, AgentEvent("7", "5", "7", "one", {"user": "ann"}, image=Attachment("photo", "f1")))
        history.add_received("7", "5", "one", {"user": "ann"}, None, image=True)
        (entry,) = inbox.fetching()
        inbox.fetched(entry, "one\ntwo\n[the picture failed]", {"user": "ann", "delivery_ids": '["1.b"]'})
        assert [ready.content for ready in inbox.ready(9)] == ["one\ntwo\n[the picture failed]"]
        assert texts(history.page("7", 9)) == ["one"]


SAID = (
    "明日の会議は午後三時からです", "我们明天开会讨论数据库迁移", "데이터베이스를 옮깁니다", "ПРИВЕТ, мир",
    "Straße gesperrt",
    "ＦＵＬＬ ｗｉｄｔｈ", "ｶﾀｶﾅで書く", "foo_bar_baz at 100%", 'a "quoted" AND word', "a\\b",
    "NEAR(x, y)*", "اجتماع غدا",
)  # fmt: skip
FOUND = (
    ("会議", 0), ("三", 0), ("数据库", 1), ("开会 数据", 1), ("데이터베이스", 2), ("привет", 3), ("STRASSE", 4),
    ("full WIDTH", 5), ("カタカナ", 6), ("bar_b", 7), ("100%", 7), ('"quoted"', 8), ("AND word", 8), ("a\\b", 9),
    ("near(", 10), ("غدا", 11),
)  # fmt: skip


@pytest.mark.parametrize("indexed", [True, False])
def test_words_are_found_in_any_script(history: History, monkeypatch: pytest.MonkeyPatch, *, indexed: bool) -> None:
    """CJK of any length, case and width aside, with signs that mean something to SQLite; with and without FTS5."""
    if not indexed:
        monkeypatch.setattr(History, "_can_search", lambda *_: False)
    for number, text in enumerate(SAID):
        history.add(line(number, text))
    for query, number in FOUND:
        assert texts(history.page("7", 99, query=query)) == [SAID[number]], query
    assert history.page("7", 99, query="_oo") == []
    assert history.page("7", 99, query="％") == [line(7, SAID[7], id=8)]
    assert history.page("8", 99, query="foo") == []


ALPHABET = st.text("abAB ß％%_\\\"'*^(会議一İıﬁ\u0301-", min_size=0, max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(ALPHABET, max_size=8), query=ALPHABET)
def test_a_search_finds_what_looking_finds(tmp_path: Path, said: list[str], query: str) -> None:
    """Whatever was said and sought: exactly the lines that contain every word, however they are written."""

    def fold(text: str) -> str:
        return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())

    with Store.open(tmp_path / "state") as store:
        history = History(store)
        history.forget("7")
        for number, text in enumerate(said):
            history.add(HistoryLine("7", str(number), "x", "7", text, 1.0))
        terms = fold(query).split()
        wanted = [text for text in said if all(term in fold(f"{text}\nx") for term in terms)]
        assert texts(history.page("7", 99, query=query)) == wanted


def test_people_and_files_are_found_too(history: History) -> None:
    """The name of who said it and of what was attached count as words of the line."""
    history.add(line(1, "here", files=("Quarterly Report.pdf",)))
    history.add(HistoryLine("7", "2", "bob", "9", "thanks", 1.0))
    assert texts(history.page("7", 9, query="report.PDF")) == ["here"]
    assert texts(history.page("7", 9, query="bob")) == ["thanks"]


def test_an_old_sqlite_changes_nothing_but_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose SQLite lacks the tokenizer adds, finds, edits and deletes beside one that has it."""
    with Store.open(tmp_path / "state") as new, Store.open(tmp_path / "state") as old:
        modern, ancient = History(new), History(old)
        monkeypatch.setattr(ancient, "_searchable", False)
        modern.add(line(1, "indexed early"))
        assert texts(modern.page("7", 9, query="early")) == ["indexed early"]
        ancient.add(line(2, "indexed later"))
        assert texts(ancient.page("7", 9, query="indexed")) == ["indexed early", "indexed later"]
        ancient.add(line(1, "changed", edited=True))
        assert texts(modern.page("7", 9, query="indexed")) == ["indexed later"]
        ancient.forget("7")
        assert modern.page("7", 9, query="indexed") == []


def test_an_unknown_tokenizer_is_no_fault(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SQLite says when it lacks the module or the tokenizer is understood; any other fault is not swallowed."""

    class Lacking:
        def __init__(self, words: str) -> None:
            self.words = words

        def execute(self, _sql: str) -> Any:
            raise sqlite3.OperationalError(self.words)

    for words in ("no such module: fts5", "no such tokenizer: trigram"):
        monkeypatch.setattr(history, "_searchable", None)
        assert not history._can_search(Lacking(words))  # type: ignore[arg-type]
    monkeypatch.setattr(history, "_searchable", None)
    with pytest.raises(sqlite3.OperationalError):
        history._can_search(Lacking("disk I/O error"))  # type: ignore[arg-type]


def test_forgetting_leaves_no_word(history: History) -> None:
    """A chat that was forgotten is gone from the table and from the index; the others stay."""
    history.add(line(1, "a secret plan"))
    history.add(line(2, "another plan", chat="8"))
    assert history.page("7", 9, query="secret")
    assert history.forget("7") == 1
    assert (history.count("7"), history.since("7")) == (0, None)
    assert (history.count("8"), history.since("8")) == (1, 1002.0)
    assert texts(history.page("8", 9, query="plan")) == ["another plan"]
    store = history.store
    assert store.value("SELECT count(*) FROM history_index WHERE history_index MATCH '\"secret\"'") == 0
    with store.transaction() as db:
        db.execute("INSERT INTO history_index (history_index, rank) VALUES ('integrity-check', 1)")


def test_old_lines_go_in_small_steps(history: History, tmp_path: Path) -> None:
    """Retention takes what is older than its days, a step at a time, and leaves the rest."""
    import time

    now = time.time()
    for number in range(450):
        history.add(
            HistoryLine(
                "7", str(number), "ann", "7", "old" if number < 440 else "new", now - 100 * 86_400 * (number < 440)
            )
        )
    retention = Retention(Services.of(history.store), None, Settings())  # type: ignore[arg-type]
    steps = 0
    while retention.history_step():
        steps += 1
    assert steps >= 3
    assert texts(history.page("7", 999)) == ["new"] * 10
    assert history.store.value("SELECT count(*) FROM history WHERE indexed = 0") == 0


def test_everything_comes_once_in_order(history: History) -> None:
    """An export walks all lines in pages, of one chat or all, from a time on."""
    for number in range(STEP + 20):
        history.add(line(number, chat=str(7 + number % 2)))
    assert [one.message_id for one in history.lines()] == [str(n) for n in range(STEP + 20)]
    assert [one.message_id for one in history.lines("8", 1000 + STEP)] == [
        str(n) for n in range(STEP + 1, STEP + 20, 2)
    ]


def test_a_chat_that_moved_keeps_its_history(history: History) -> None:
    """What was said under the old id is read under the new one."""
    history.add(line(1, "before"))
    history.migrate_chat("7", "-1007")
    assert texts(history.page("-1007", 9)) == ["before"]
    assert history.page("7", 9) == []


def test_what_strangers_said_is_there_only_once_they_are_in(tmp_path: Path) -> None:
    """Held messages are in no history; after approval they are, after denial never."""
    with Store.open(tmp_path / "state") as store:
        inbox, history = Services.of(store).inbox, History(store)
        inbox.put("1", [RawEvent("a", "{}"), RawEvent("b", "{}")])
        for (entry_id, _), user in zip(inbox.unsorted(9), ("7", "8"), strict=True):
            meta = {"user": f"u{user}", "user_id": user, "ts": "2025-01-01T00:00:00Z"}
            inbox.open(entry_id, AgentEvent(user, "1", user, f"hello from {user}", meta), held=True)
        assert list(history.lines()) == []
        inbox.release("7")
        inbox.forget_held(["8"])
        assert [(one.user, one.text, one.at) for one in history.lines()] == [("u7", "hello from 7", 1735689600.0)]


def test_a_database_from_before_gets_its_history(tmp_path: Path) -> None:
    """The migration adds an empty history to a database that has none."""
    make_state_folder(tmp_path / "state")
    before = next(i for i, one in enumerate(MIGRATIONS) if any("TABLE history" in sql for sql in one))
    Store(tmp_path / "state" / "channel.db", migrations=MIGRATIONS[:before]).close()
    with Store.open(tmp_path / "state") as store:
        History(store).add(line(1))
        assert texts(History(store).page("7", 9, query="text")) == ["text 1"]
