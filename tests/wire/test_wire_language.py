"""A bot in another language than English: everything people read is in it, from pairing to a tap."""

from __future__ import annotations

import re

from harness import Stage

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def configure_chinese(stage: Stage, **settings: object) -> None:
    stage.config(grace_s=0, language="zh-TW", **settings)


async def test_a_chinese_bot_pairs_and_answers_in_chinese(stage: Stage) -> None:
    """The pairing code, the welcome sent by the command line, the menu, commands and taps are all in Chinese."""
    configure_chinese(stage)
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.state.commands or None, 20)
    menu = stage.tg.state.commands["default", ""]
    assert all(CHINESE.search(entry["description"]) for entry in menu)

    ann = stage.tg.person("ann", first_name="Ann")
    ann.start()
    greeting = (await ann.next_message())["text"]
    assert "你的配對碼：" in greeting
    code = re.search(r"配對碼：(\w{8})", greeting)
    assert code is not None
    assert (await stage.access("pair", code[1])).code == 0
    assert (await ann.next_message())["text"] == "已配對。Ann，你好！從現在起，你在這裡寫的內容都會送到代理。"

    ann.send("/status")
    assert (await ann.next_message())["text"] == "已連線，身分是 @sandbox_bot。每則訊息都已得到回覆。"
    ann.send("要部署嗎？")
    assert (await host.event()).content == "要部署嗎？"
    ann.send("/inbox")
    assert re.fullmatch(
        r"這個聊天裡有 1 則在等候：\n• \d+ 秒，已交給代理 – 要部署嗎？", (await ann.next_message())["text"]
    )

    await host.done("reply", chat_id=str(ann.id), text="要部署嗎？", buttons=[["要", "不要"]])
    grid = await ann.next_message()
    await ann.tap(grid["message_id"], label="要").answered()
    assert (await host.event()).meta["button_value"] == "要"
    assert (await ann.tap(grid["message_id"], data="gone").answered()).text == "這個按鈕已經失效。"


async def test_the_language_changes_while_the_bot_runs(stage: Stage) -> None:
    """A running server applies the new setting by itself, and updates the platform's menu."""
    ann = stage.person()
    await stage.reading()
    ann.send("/status")
    assert (await ann.next_message())["text"].startswith("Connected as")
    configure_chinese(stage)
    await stage.tg.wait_for(
        lambda: CHINESE.search(stage.tg.state.commands.get(("default", ""), [{"description": ""}])[0]["description"]),
        20,
    )
    ann.send("/status")
    assert (await ann.next_message())["text"].startswith("已連線")


async def test_an_unknown_language_is_refused(stage: Stage) -> None:
    """The finding names the setting, its value and the languages that exist."""
    stage.config(grace_s=0, language="zh_TW")
    ran = await stage.cli("doctor", "telegram", "--json")
    assert ran.code == 1
    finding = next(check for check in ran.json["channels"][0]["checks"] if check["check"] == "settings")
    assert "'language' is 'zh_TW'" in finding["evidence"] + finding["found"]
    assert "en or zh-TW" in finding["evidence"] + finding["found"]
