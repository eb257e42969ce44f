"""Traditional Chinese, at the terminal and in the chat: by the locale, or by `language` in config.yaml."""

from __future__ import annotations

import json
import re
import shutil
import socket

import pytest

from agent_channels.core.i18n import en
from harness import COMMAND, Stage
from terminal import Terminal
from translated import LOCALE, english_in


@pytest.fixture
def empty(stage: Stage) -> Stage:
    """An empty project of somebody whose locale is Taiwan's."""
    shutil.rmtree(stage.state)
    for name in ("TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN", "CHANNELS_CLAIM"):
        del stage.env[name]
    stage.state = stage.project / "state" / "telegram"
    # Of a user who has no other project: set-up would offer its bot.
    stage.env |= {**LOCALE, "CHANNELS_DATA_DIR": str(stage.folder / "data")}
    return stage


@pytest.mark.cold
async def test_set_up_speaks_the_locales_language(empty: Stage) -> None:
    """From the first question to the first tap, with the bot in the same language from then on."""
    ann = empty.tg.person("ann", first_name="Ann")
    async with Terminal([*COMMAND, "setup"], cwd=empty.project, env=empty.env) as terminal:
        await terminal.answer("要設定哪個頻道？", "")
        await terminal.answer("（不會顯示）：", "hello")
        await terminal.until("這不像是 Telegram 的 token")
        await terminal.answer("（不會顯示）：", empty.tg.token)
        for question in (".mcp.json", "settings.local.json", "技能"):
            await terminal.until(question)
            await terminal.answer("] ", "")
        shown = await terminal.until("等你在 Telegram 點按")
        (code,) = re.findall(r"start=(\w+)", shown)
        ann.start(code)
        assert "已配對" in (await ann.next_message())["text"]
        await terminal.answer("代理請求許可時", "")
        message = await ann.next_message()
        (row,) = message["reply_markup"]["inline_keyboard"]
        assert "點一下按鈕" in message["text"]
        ann.tap(message["message_id"], label=row[0]["text"])
        await terminal.until("設定完成")
        assert await terminal.ended() == 0, terminal.shown
    assert english_in(terminal.shown) == []
    assert "language: zh-TW" in (empty.state / "config.yaml").read_text().splitlines()


async def test_errors_of_the_door_are_told_in_it(empty: Stage) -> None:
    """What failed and what to do; a program that asked for JSON gets the same exit code, and English keys."""
    for words, given in (
        ((), ""),
        (("telegram",), ""),
        (("telegram", "--token-stdin"), "hello"),
        (("telegram", "--token-stdin"), ""),
    ):
        ran = await empty.cli("setup", *words, stdin=given)
        assert ran.code == 1
        assert english_in(ran.err.removeprefix("channels: ")) == [], ran.err
        assert re.search(r"[一-鿿]", ran.err), ran.err
    wrong = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB"
    ran = await empty.cli("setup", "telegram", "--token-stdin", stdin=wrong)
    assert "Telegram 拒絕這個 token" in ran.err
    assert wrong not in ran.err


async def test_the_doctor_speaks_it_and_programs_get_english(stage: Stage) -> None:
    """The report is in the language that config.yaml sets; the same report as JSON is the one that everybody gets."""
    ran = await stage.cli("doctor", "telegram", **LOCALE)
    english = await stage.cli("doctor", "telegram")
    assert english_in(english.out)
    assert english_in(ran.out) == []
    assert "沒有執行中的伺服器讀取這個機器人" in ran.out
    stage.config(grace_s=0, language="zh-TW")
    assert (await stage.cli("doctor", "telegram")).out.splitlines()[1:8] == ran.out.splitlines()[1:8]
    report = json.loads((await stage.cli("doctor", "telegram", "--json", **LOCALE)).out)
    found = {check["check"]: check["found"] for check in report["channels"][0]["checks"]}
    assert found["reader"] == "no running server reads this bot"
    assert not re.search(r"[一-鿿]", json.dumps(report, ensure_ascii=False))


async def test_the_verbs_of_every_day_speak_it(stage: Stage) -> None:
    """Status, people and messages of a bot that is read: no English sentence for a person, no Chinese for programs."""
    ann = stage.person(first_name="Ann")
    host = await stage.reading()
    ann.send("Is it ready?")
    await host.event()
    told = {}
    for words in (("status", "telegram"), ("access", "telegram"), ("inbox", "telegram")):
        ran = await stage.cli(*words, **LOCALE)
        assert ran.code == 0
        assert english_in(ran.out.replace("Is it ready?", "")) == [], ran.out
        told[words[0]] = ran.out
        programs = await stage.cli(*words, "--json", **LOCALE)
        assert not re.search(r"[一-鿿]", programs.out), programs.out
    assert f"讀取者        {socket.gethostname()} 上的行程 " in told["status"]
    assert "這個工作階段" in told["status"] or "看不出這個主程式如何接收訊息" in told["status"]
    assert re.search(rf"^  已配對   {ann.id} ann$", told["access"], re.MULTILINE)
    assert re.search(r" 已交出 +\d+ 秒  ann: Is it ready\?$", told["inbox"], re.MULTILINE)


async def test_wrong_usage_is_told_in_it(stage: Stage) -> None:
    """The usage has the verb's own words; what is wrong and what would be right is a sentence."""
    ran = await stage.cli("acess", **LOCALE)
    assert (ran.code, ran.err) == (
        2, "channels: 沒有 'acess' 這個指令；你是指 `channels access` 嗎？`channels --help` 會列出全部\n",
    )  # fmt: skip
    ran = await stage.cli("inbox", "telegram", "--limit", **LOCALE)
    assert ran.err.startswith("用法：channels inbox")
    assert ran.err.endswith("channels inbox: 錯誤：引數 --limit：需要一個值\n")


async def test_the_chat_says_in_it_why_messages_take_their_way(stage: Stage) -> None:
    """`/session status` and `/status` hold no English sentence; the agent's tool gives the same reason in English."""
    stage.config(grace_s=0, language="zh-TW")
    ann = stage.person(first_name="Ann")
    await stage.access("approver", "add", str(ann.id))
    host = await stage.reading()
    for command in ("/session status", "/status", "/help"):
        ann.send(command)
        text = (await ann.next_message())["text"]
        assert english_in(text) == [], text
    ann.send("/session status")
    assert "看不出這個主程式如何接收訊息" in (await ann.next_message())["text"]
    status = json.loads(await host.done("channel_status"))
    assert status["mode"]["why"] == "nothing shows how this host takes messages, so they are pushed"


def test_english_would_be_found() -> None:
    """The check above fails for sentences of the other table, and not for names and commands."""
    assert english_in(en.TEXTS["status_all_answered"])
    assert english_in("請執行 `channels access telegram pair CODE`（/home/ann/a b）") == []
