"""Long and formatted texts: every part is accepted by a strict platform, nothing is lost, marks close."""

from __future__ import annotations

from typing import Any

from harness import Stage

from channels.sandbox.telegram import Person

LIMIT = 4096


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


async def parts(stage: Stage, person: Person, count: int | None = None) -> list[dict[str, Any]]:
    """Everything that was sent, in order."""
    sent = [call for call in stage.tg.calls_of("sendMessage") if call.response_code == 200]
    assert count is None or len(sent) == count
    return [await person.next_message() for _ in sent]


async def test_a_long_text_with_emoji_and_a_fence(stage: Stage) -> None:
    """9,000 characters of emoji, words and code arrive in accepted parts; emoji whole, fences closed, nothing lost."""
    ann = stage.person()
    host = await stage.reading()
    code = "\n".join(f"    print({n})  # 🧑‍🚀🇩🇪" for n in range(150))
    text = "Intro 👨‍👩‍👧‍👦 " + "words and 🦄🏳️‍🌈 " * 300 + f"\n\n```python\n{code}\n```\n\nThe end."
    assert units(text) > 9000
    said = ann.send("go")
    await host.event()
    answer = await host.done("reply", chat_id=ann.id, text=text, reply_to=said["message_id"], buttons=[["Ok"]])
    shown = await parts(stage, ann)
    assert len(shown) >= 3
    assert all(str(message["message_id"]) in answer for message in shown)
    for message in shown:
        assert units(message["text"]) <= LIMIT
        assert message["text"].count("```") % 2 == 0
        assert "\ufffd" not in message["text"]
        assert not message["text"].startswith("\u200d")
    whole = "".join("".join(message["text"].split()) for message in shown)
    kept = "".join(text.split())
    assert whole.replace("```python", "").replace("```", "") == kept.replace("```python", "").replace("```", "")
    # The quote belongs to the first part, the grid to the last.
    assert [("reply_to_message" in m) for m in shown] == [True] + [False] * (len(shown) - 1)
    assert [("reply_markup" in m) for m in shown] == [False] * (len(shown) - 1) + [True]
    ann.tap(shown[-1]["message_id"], label="Ok")
    assert (await host.event()).meta["message_id"] == str(shown[-1]["message_id"])


async def test_a_text_of_nothing_but_emoji(stage: Stage) -> None:
    """A text whose every character is a surrogate pair is never cut inside one."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="🦄" * 5000)
    shown = await parts(stage, ann, 3)
    assert "".join(message["text"] for message in shown) == "🦄" * 5000


async def test_a_long_markdownv2_text(stage: Stage) -> None:
    """MarkdownV2 is cut so that a strict parser takes every part, and what was bold or code stays so."""
    ann = stage.person()
    host = await stage.reading()
    text = "*bold " + "and on " * 700 + "*\n\n" + "_it_ `code` [link](https://example.com) " * 80 + "\n```py\n"
    text += "print\\(1\\)\n" * 300 + "```\nend\\."
    await host.done("reply", chat_id=ann.id, text=text, format="markdownv2")
    shown = await parts(stage, ann)
    assert len(shown) >= 3
    for message in shown:
        assert units(message["text"]) <= LIMIT
    kinds = [{entity["type"] for entity in message.get("entities", [])} for message in shown]
    assert "bold" in kinds[0]
    assert "bold" in kinds[1]
    assert "pre" in kinds[-1]
    assert sum(message["text"].count("and on") for message in shown) == 700
    assert sum(message["text"].count("print") for message in shown) == 300


async def test_a_long_html_text(stage: Stage) -> None:
    """HTML is cut between tags and entities, with open tags closed and opened again."""
    ann = stage.person()
    host = await stage.reading()
    text = "<b>bold " + "and on &amp; " * 600 + "</b>" + "<i>it</i> <code>c &lt; d</code> " * 50
    text += '<pre><code class="language-py">' + "print(1)\n" * 400 + "</code></pre>"
    await host.done("reply", chat_id=ann.id, text=text, format="html")
    shown = await parts(stage, ann)
    assert len(shown) >= 3
    assert sum(message["text"].count("and on") for message in shown) == 600
    assert sum(message["text"].count("&") for message in shown) == 600
    assert sum(message["text"].count("print(1)") for message in shown) == 400
    assert all("<" not in message["text"].replace("c < d", "") for message in shown)
    assert "bold" in {entity["type"] for entity in shown[1]["entities"]}


async def test_broken_markup_is_told_and_nothing_is_sent(stage: Stage) -> None:
    """What the platform cannot parse is an error that says where; it is not tried again."""
    ann = stage.person()
    host = await stage.reading()
    reason = await host.refused("reply", chat_id=ann.id, text="*never closed", format="markdownv2")
    assert "parse" in reason
    reason = await host.refused("reply", chat_id=ann.id, text="<b>never closed", format="html")
    assert "parse" in reason
    assert len(stage.tg.calls_of("sendMessage")) == 2
    assert ann.inbox == []


async def test_text_is_sent_as_it_is(stage: Stage) -> None:
    """The default format changes nothing: markup characters arrive as they were written."""
    ann = stage.person()
    host = await stage.reading()
    text = "a*b_c`d [e](f) <b>&amp;</b> \\! ||x|| #1. - > |"
    await host.done("reply", chat_id=ann.id, text=text)
    assert (await ann.next_message())["text"] == text


async def test_empty_and_overlong_edits_are_refused(stage: Stage) -> None:
    """Nothing to send is refused; an edit cannot be split and names the limit; somebody else's message is named."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("mine")
    await host.event()
    assert "empty" in await host.refused("reply", chat_id=ann.id, text=" \n ")
    await host.done("reply", chat_id=ann.id, text="progress")
    message = await ann.next_message()
    long = await host.refused("edit_message", chat_id=ann.id, message_id=message["message_id"], text="x" * 5000)
    assert "4,096" in long
    assert "only a message that the bot sent" in await host.refused(
        "edit_message", chat_id=ann.id, message_id=said["message_id"], text="x"
    )
    # That it reads like that already is no error.
    await host.done("edit_message", chat_id=ann.id, message_id=message["message_id"], text="progress")


async def test_silent_and_react(stage: Stage) -> None:
    """Sent without a sound; one reaction at a time, replaced and removed; what is not offered is refused."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("hi")
    await host.event()
    await host.done("reply", chat_id=ann.id, text="psst", silent=True)
    assert str(stage.tg.calls_of("sendMessage")[-1].params["disable_notification"]).lower() == "true"
    for emoji in ("👍", "❤️", "🔥"):
        await host.done("react", chat_id=ann.id, message_id=said["message_id"], emoji=emoji)
        assert stage.tg.reactions(ann, said["message_id"]) == [emoji.replace("\ufe0f", "")]
    await host.done("react", chat_id=ann.id, message_id=said["message_id"], emoji="")
    assert stage.tg.reactions(ann, said["message_id"]) == []
    reason = await host.refused("react", chat_id=ann.id, message_id=said["message_id"], emoji="✅")
    assert "👍" in reason
