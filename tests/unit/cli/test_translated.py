"""The command line in Traditional Chinese: help, what is wrong with a command, lists; programs get English."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from agent_channels.cli.language import speak
from agent_channels.cli.main import BY_A_HOST, build_parser
from agent_channels.core.contract.messages import Chat, Person, RawEvent
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.core.text.columns import columns_of
from reference import all_parsers
from translated import LOCALE, english_in

EVERY = {parser.prog: parser for parser in all_parsers(build_parser())}
# Set-up explains some of its options in English; hosts start the others, and nobody reads them.
ENGLISH = {f"channels {verb}" for verb in BY_A_HOST}
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(autouse=True)
def _taiwan(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The locale of Taiwan, and a user who has nothing yet."""
    for name, value in LOCALE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A state with somebody who is let in, somebody who waits, groups, and messages."""
    make_state_folder(tmp_path / "state" / "telegram")
    with Store.open(tmp_path / "state" / "telegram") as store:
        services = Services.of(store)
        services.access.allow("7", by="test", name="Ann", username="ann")
        services.access.set_approver("7", approver=True)
        services.access.add_group("-5", require_mention=True, senders=frozenset({"7"}), patterns=("hey",))
        services.chats.record(Chat("-6", "group", "Team"), Person("7", "Ann", "ann"))
        services.pairing.ask(Chat("8", "direct"), Person("8", "Zoe"))
        services.inbox.put("1", [RawEvent("1", "{}"), RawEvent("2", "{}")])
        (first, _), (second, _) = services.inbox.unsorted(9)
        services.inbox.open(first, AgentEvent("7", "m1", "7", "Ja?", {"user": "Ann"}))
        services.inbox.end(second, answered=True)
    return tmp_path / "state" / "telegram"


@pytest.mark.parametrize("prog", sorted(EVERY.keys() - ENGLISH))
def test_help_is_translated(prog: str) -> None:
    """Summary, arguments, options and headings; what is typed stays, in the columns where it stood."""
    speak("zh-TW")
    chinese = EVERY[prog].format_help()
    speak("en")
    english = EVERY[prog].format_help()
    # What is typed between braces and in lists is the same in every language.
    assert english_in(chinese.replace(prog, "").replace("bash、zsh、fish", "")) == []
    assert chinese.startswith("用法：channels")
    typed = re.compile(r"^  +(-\S+)", re.MULTILINE)
    assert typed.findall(chinese) == typed.findall(english)


@pytest.mark.parametrize("words", [
    "acess", "nothing", "access", "access telegramm", "access telegram pear", "access telegram pair",
    "access telegram pair ABC", "access telegram allow bob", "access telegram allow -5", "access telegram remove 5",
    "access telegram policy open", "access telegram group", "access telegram group add 5 --allow ,",
    "access telegram group add 5 --pattern .*", "access telegram approver add 5", "access telegram approver rm 5",
    "access telegram group rm 5", "inbox telegram --limit 0", "inbox telegram --limit", "inbox telegram x",
    "inbox telegram --lmit 5", "inbox telegram --drop a --redeliver b", "inbox telegram --json=5",
    "inbox telegram --o --d",
    "history", "history export telegram --since foo", "logs --level loud", "loop start x", "loop start x --max 0",
    "status telegram --release", "backup x.zip", "trust nowhere", "trust --forget nowhere",
    "launch nochat", "launch --host /nowhere", "sandbox --port 70000", "sandbox --bot-api x", "completion csh",
    "import telegram nowhere", "hub status telegram", "open telegram --port x",
])  # fmt: skip
def test_what_is_wrong_is_translated(channels, words: str) -> None:
    """Each refusal, whoever finds it: no English is left in it."""
    said = channels(*words.split())
    assert said.code in {1, 2}, said.out
    reason = said.err.splitlines()[-1]
    assert CHINESE.search(reason), said.err
    assert english_in(reason.replace("channels:", "")) == []


@pytest.mark.parametrize("words", [
    "status telegram", "access telegram", "inbox telegram", "inbox telegram --open", "trust --show", "loop status",
    "loop stop", "uninstall --dry-run", "backup b.zip", "access telegram policy allowlist", "access telegram allow 9",
    "access telegram remove 7", "access telegram approver rm 7", "access telegram group rm -5",
    "access telegram group add -6 --pattern hey --pattern you", "access telegram group add -6 --no-mention",
])  # fmt: skip
def test_what_a_verb_tells_is_translated(
    channels, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """No English sentence; with --json the answer is the same as everywhere."""
    monkeypatch.chdir(tmp_path)
    said = channels(*words.split())
    assert CHINESE.search(said.out), said.out
    assert english_in(said.out.replace("Ja?", "")) == []
    programs = channels(*words.replace("b.zip", "c.zip").split(), "--json")
    assert not CHINESE.search(programs.out)
    assert json.loads(programs.out)


def test_a_table_stays_a_table(channels, full: Path) -> None:
    """Values begin in one column, though a Chinese character takes two; what people wrote is not translated."""
    columns = set()
    for line in channels("status", "telegram").out.splitlines()[2:]:
        name, gap, _ = re.split(r"(?<=\S)( {2,})", line.strip(), maxsplit=1)
        columns.add(columns_of(name + gap))
    assert columns == {14}
    listed = channels("inbox", "telegram").out.splitlines()[1:]
    assert [line.split()[1:4] for line in listed] == [["已收到", "0", "秒"], ["已回覆", "0", "秒"]]
    assert len({columns_of(line.partition("秒")[0]) for line in listed}) == 1
    assert listed[0].endswith("Ann: Ja?")


def test_the_language_of_config_goes_first(channels, full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any channel of the project where none is named; errors of the parser have only the locale to go by."""
    (full / "config.yaml").write_text("language: en\n")
    assert channels("loop", "status").out.endswith("No loop is running.\n")
    assert "錯誤" in channels("loop").err
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (full / "config.yaml").write_text("language: zh-TW\n")
    assert channels("loop", "status").out.endswith("沒有執行中的循環。\n")
    assert "error" in channels("loop").err


@pytest.mark.parametrize("words", ["serve nope", "serve", "hook nope", "hook"])
def test_what_hosts_start_speaks_english(channels, words: str) -> None:
    """They keep it in their logs."""
    said = channels(*words.split())
    assert said.err
    assert not CHINESE.search(said.err)


def test_english_would_be_found() -> None:
    """The checks above fail for the same texts in English."""
    speak("en")
    plain = [parser for parser in EVERY.values() if english_in(parser.format_help())]
    assert len(plain) > len(EVERY) - 5
    assert isinstance(plain[0], argparse.ArgumentParser)
