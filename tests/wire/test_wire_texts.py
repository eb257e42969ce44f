"""Long and formatted texts: every part is accepted by a strict platform, nothing is lost, marks close."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage, is_closed

LIMIT = 4096


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


async def parts(stage: Stage, person: TelegramPerson, count: int | None = None) -> list[dict[str, Any]]:
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


async def test_a_long_text_in_a_format_of_the_platforms_own_is_refused(stage: Stage) -> None:
    """Nothing is sent, and the reason names the length, the limit and what works; as markdown, the same text arrives.

    With files, a text above a caption's length still goes as a message of its own.
    """
    ann = stage.person()
    host = await stage.reading()
    bold = "bold " + "and on " * 700
    for format_, text in (("markdownv2", f"*{bold}*"), ("html", f"<b>{bold}</b>")):
        told = await host.refused("reply", chat_id=ann.id, text=text, format=format_)
        assert f"{len(bold):,} characters" in told
        assert "4,096" in told
        assert "use format markdown, or send several replies" in told
    assert stage.tg.calls_of("sendMessage") == []
    await host.done("reply", chat_id=ann.id, text="**bold** " + "and on " * 700, format="markdown")
    assert len(await parts(stage, ann)) == 2
    (stage.project / "notes.txt").write_text("notes")
    text = "<b>" + "words " * 300 + "</b>"
    await host.done("reply", chat_id=ann.id, text=text, format="html", files=["notes.txt"])
    assert (await ann.next_message())["entities"][0]["type"] == "bold"
    assert "caption" not in await ann.next_message()


async def test_broken_markup_goes_as_plain_text_and_the_result_says_so(stage: Stage) -> None:
    """What the platform cannot parse is sent as it stands, once, in a reply and in an edit; the result says where."""
    ann = stage.person()
    host = await stage.reading()
    for text, format_ in (("*never closed", "markdownv2"), ("<b>never closed", "html")):
        answer = await host.done("reply", chat_id=ann.id, text=text, format=format_)
        assert "plain text" in answer
        assert "byte offset" in answer or "tag" in answer
        message = await ann.next_message()
        assert (message["text"], message.get("entities")) == (text, None)
        edit = {"chat_id": ann.id, "message_id": message["message_id"], "text": f"{text} <", "format": format_}
        assert "plain text" in await host.done("edit_message", **edit)
        assert ann.messages()[-1]["text"] == f"{text} <"
    assert [call.response_code for call in stage.tg.calls_of("sendMessage")] == [400, 200] * 2


async def test_only_formatting_errors_fall_back(stage: Stage) -> None:
    """Any other refusal is told and nothing is sent in its place."""
    ann = stage.person()
    host = await stage.reading()
    answer = {"ok": False, "error_code": 400, "description": "Bad Request: message is bad"}
    stage.tg.faults.add("error", method="sendMessage", times=1, status=400, body=answer)
    assert "Message is bad" in await host.refused("reply", chat_id=ann.id, text="**x**")
    assert len(stage.tg.calls_of("sendMessage")) == 1


async def test_markdown_is_the_default(stage: Stage) -> None:
    """What models write arrives formatted; names and sums that look like markup arrive as they were written."""
    ann = stage.person()
    host = await stage.reading()
    text = '**Done**: `__init__`, __init__.py, README.md, foo_bar_baz, a*b*c and [docs](https://a.com/x_(y)?q="1")'
    await host.done("reply", chat_id=ann.id, text=text)
    message = await ann.next_message()
    assert message["text"] == "Done: __init__, __init__.py, README.md, foo_bar_baz, a*b*c and docs"
    found = {entity["type"]: entity for entity in message["entities"]}
    assert {"bold", "code", "text_link"} <= set(found)
    assert found["text_link"]["url"] == 'https://a.com/x_(y)?q="1"'


async def test_a_long_text_goes_as_a_file_where_that_is_asked_for(stage: Stage) -> None:
    """Above the setting the text is a .md file under a short head with the grid; below it, and unasked, a message."""
    stage.config(grace_s=0, file_above=500)
    ann = stage.person()
    host = await stage.reading()
    long = "# Report\n\nIn short: **fine**.\n\n" + "Much more to say here. " * 200
    arguments = {"chat_id": ann.id, "text": long, "as_file": "auto", "buttons": [["Ok"]], "idempotency_key": "k"}
    await host.done("reply", **arguments)
    message = await ann.next_message()
    assert message["caption"].startswith("Report\n\nIn short: fine.")
    assert len(message["caption"]) < 700
    assert message["document"]["file_name"].endswith(".md")
    assert stage.tg.state.files.by_id[message["document"]["file_id"]].data.decode() == long
    assert "reply_markup" in message
    assert "already sent" in await host.done("reply", **arguments)
    await host.done("reply", chat_id=ann.id, text="short", as_file="auto")
    assert (await ann.next_message())["text"] == "short"
    await host.done("reply", chat_id=ann.id, text=long)
    assert (await ann.next_message())["text"].startswith("Report")


async def test_edits_that_come_fast_coalesce_and_the_last_one_lands(stage: Stage) -> None:
    """Of twenty edits at once few are shown and each call says what became of it; the last text stands."""
    ann = stage.person()
    host = await stage.reading()
    sent = await host.done("reply", chat_id=ann.id, text="0 %", buttons=[["Stop"]])
    message = await ann.next_message()
    assert str(message["message_id"]) in sent
    arguments = {"chat_id": ann.id, "message_id": message["message_id"]}
    calls = [host.calling("edit_message", **arguments, text=f"{n} %") for n in range(1, 21)]
    answers = [(await host.answered(call)).text for call in calls]
    shown = [answer for answer in answers if answer.startswith("edited")]
    assert answers[-1].startswith("edited")
    assert len(shown) <= 3
    assert all("replaced by a newer edit" in answer for answer in answers if answer not in shown)
    assert len(stage.tg.calls_of("editMessageText")) == len(shown)
    assert ann.messages()[-1]["text"] == "20 %"
    assert ann.messages()[-1]["reply_markup"]


async def test_an_edit_of_the_grid_is_not_replaced_by_one_that_keeps_it(stage: Stage) -> None:
    """A newer text does not swallow a new grid: both are shown, in order."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="0 %", buttons=[["Stop"]])
    arguments = {"chat_id": ann.id, "message_id": (await ann.next_message())["message_id"]}
    changes = [{"text": "1 %"}, {"text": "2 %", "buttons": [["Pause"]]}, {"text": "3 %"}]
    calls = [host.calling("edit_message", **arguments, **change) for change in changes]
    answers = [(await host.answered(call)).text for call in calls]
    assert all(answer.startswith("edited") for answer in answers[1:])
    assert ann.messages()[-1]["text"] == "3 %"
    assert ann.messages()[-1]["reply_markup"]["inline_keyboard"][0][0]["text"] == "Pause"


async def test_text_is_sent_as_it_is(stage: Stage) -> None:
    """Format text changes nothing: markup characters arrive as they were written."""
    ann = stage.person()
    host = await stage.reading()
    text = "a*b_c`d [e](f) <b>&amp;</b> \\! ||x|| #1. - > |"
    await host.done("reply", chat_id=ann.id, text=text, format="text")
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
    # It is not an error that it reads like that already.
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


async def test_file_names_are_no_links_wherever_they_stand(stage: Stage) -> None:
    """In replies, captions, edits, plain texts and outcomes, README.md is no link, and a site of that name unfolds
    nowhere.
    """
    ann = stage.person()
    host = await stage.reading()
    text = "I updated README.md, backup.sh and utils.py."
    (stage.project / "notes.txt").write_text("notes")
    await host.done("reply", chat_id=ann.id, text=text)
    await host.done("reply", chat_id=ann.id, text=text, format="text", buttons=[["utils.py"]])
    await host.done("reply", chat_id=ann.id, text=text, files=["notes.txt"])
    await host.done("reply", chat_id=ann.id, text=text, format="html")
    shown = [await ann.next_message() for _ in range(4)]
    await host.done("edit_message", chat_id=ann.id, message_id=str(shown[0]["message_id"]), text=f"{text} And a.rs.")
    ann.tap(shown[1]["message_id"], label="utils.py")
    await host.event()
    await stage.tg.wait_for(lambda: "utils.py." in str(ann.messages()[1]["text"]) and is_closed(ann.messages()[1]))
    first, second, third, fourth = ann.messages()
    for message, names in ((first, 4), (second, 4), (third, 3)):
        kinds = [entity["type"] for entity in message.get("entities") or message["caption_entities"]]
        assert kinds == ["code"] * names
    # In the platform's own formats the agent decides what is code.
    assert fourth["text"] == text
    assert [call.params.get("link_preview_options") for call in stage.tg.calls_of("sendMessage")][-1] == {
        "is_disabled": True
    }


async def test_terminal_colours_leave_the_words(stage: Stage) -> None:
    """Escape sequences are in no text, caption, file, button, edit or history."""
    ann = stage.person()
    host = await stage.reading()
    text = "\x1b[31mFAIL\x1b[0m in \x1b]8;;https://x.com/\x1b\\step 3\x1b]8;;\x1b\\"
    for format_ in ("markdown", "text", "html", "markdownv2"):
        await host.done("reply", chat_id=ann.id, text=text, format=format_, buttons=[["\x1b[1mOk\x1b[0m"]])
        message = await ann.next_message()
        assert message["text"] == "FAIL in step 3"
        assert message["reply_markup"]["inline_keyboard"][0][0]["text"] == "Ok"
    await host.done("edit_message", chat_id=ann.id, message_id=str(message["message_id"]), text=f"{text}!")
    assert ann.messages()[-1]["text"] == "FAIL in step 3!"
    await host.done("reply", chat_id=ann.id, text=text, as_file=True)
    sent = await ann.next_message()
    assert stage.tg.state.files.by_id[sent["document"]["file_id"]].data == b"FAIL in step 3"
    found = await host.done("fetch_messages", chat_id=ann.id)
    assert found.count("FAIL in step 3") >= 4
    assert "[31m" not in found
