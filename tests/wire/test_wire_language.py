"""A bot that speaks another language than English: everything people are told, from pairing to an outcome."""

from __future__ import annotations

import re

from harness import Stage

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def speaks_chinese(stage: Stage, **settings: object) -> None:
    stage.config(grace_s=0, language="zh-TW", **settings)


async def test_a_chinese_bot_pairs_and_answers_in_chinese(stage: Stage) -> None:
    """The code, the welcome that the command line sends, the menu, commands and taps: one language for all of it."""
    speaks_chinese(stage)
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.world.commands or None, 20)
    menu = stage.tg.world.commands["default", ""]
    assert all(CHINESE.search(one["description"]) for one in menu)

    ann = stage.tg.person("ann", first_name="Ann")
    ann.start()
    asked = (await ann.next_message())["text"]
    assert "你的配對碼：" in asked
    found = re.search(r"配對碼：(\w{8})", asked)
    assert found is not None
    assert (await stage.access("pair", found[1])).code == 0
    assert (await ann.next_message())["text"] == "已配對。Ann，你好，從現在起你在這裡寫的內容會送到代理。"

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
    """A server takes the new setting up by itself, and tells the platform's menu anew."""
    ann = stage.person()
    await stage.reading()
    ann.send("/status")
    assert (await ann.next_message())["text"].startswith("Connected as")
    speaks_chinese(stage)
    await stage.tg.wait_for(
        lambda: CHINESE.search(stage.tg.world.commands.get(("default", ""), [{"description": ""}])[0]["description"]),
        20,
    )
    ann.send("/status")
    assert (await ann.next_message())["text"].startswith("已連線")


async def test_a_language_that_there_is_not_is_refused(stage: Stage) -> None:
    """The setting, what it is, and what it may be; nobody is spoken to in a wrong one meanwhile."""
    stage.config(grace_s=0, language="zh_TW")
    ran = await stage.cli("doctor", "telegram", "--json")
    assert ran.code == 1
    finding = next(one for one in ran.json["channels"][0]["checks"] if one["check"] == "settings")
    assert "'language' is 'zh_TW'" in finding["evidence"] + finding["found"]
    assert "'en' or 'zh-tw'" in finding["evidence"] + finding["found"]
