"""Tables, task lists and folded output: rich messages where the server knows them, and the same words where not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent_channels.core.outbound.compose import sayable
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.telegram.formatting import render
from harness import Host, Stage
from rich_answers import ANSWERS, PLAIN_ANSWERS
from rich_reading import is_within, markdown_words, message_words, words

TASKS = "Plan:\n\n- [x] read\n- [ ] write `tests`"
OLD = "the Bot API server is older than 10.1 and knows no rich messages"
REFUSALS = [
    "can't parse InputRichBlock: Can't find field \"cells\"",
    "RICH_MESSAGE_CONTENT_REQUIRED",
    "RICH_MESSAGE_EMAIL_INVALID",
    "RICH_VALIDATE_CTOR_NOT_ALLOWED",
    "RICH_MESSAGE_TOO_LONG",
    "Rich message must be non-empty",
    "Strings must be encoded in UTF-8",
    "Block is not allowed",
    "something that nobody has documented",
]


class Sent:
    """What one call brought into a chat: the new messages, and the calls that were made for it."""

    def __init__(self, stage: Stage, ann: TelegramPerson) -> None:
        self._stage, self._ann = stage, ann
        self._messages, self._calls = len(ann.messages()), len(stage.tg.state.calls)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self._ann.messages()[self._messages :]

    @property
    def methods(self) -> list[str]:
        names = ("sendMessage", "sendRichMessage", "editMessageText")
        return [call.method for call in self._stage.tg.state.calls[self._calls :] if call.method in names]

    @property
    def refused(self) -> list[int]:
        calls = self._stage.tg.state.calls[self._calls :]
        return [call.response_code for call in calls if call.method != "getUpdates" and call.response_code >= 400]


def refuse(stage: Stage, method: str, description: str, code: int = 400) -> None:
    body = {"ok": False, "error_code": code, "description": f"Bad Request: {description}"}
    stage.tg.faults.add("error", method=method, times=1, status=code, body=body)


async def reply(stage: Stage, host: Host, ann: TelegramPerson, text: str, **more: Any) -> Sent:
    sent = Sent(stage, ann)
    await host.done("reply", chat_id=ann.id, text=text, **more)
    return sent


async def test_forty_answers_arrive_whole_on_a_new_and_on_an_old_server(stage: Stage) -> None:
    """All words, in order, each message once and within its limit; one refused call at most, and none once it is known.

    On the new server they are rich where structure needs it. On the old one, doctor and status say why they are not.
    """
    ann = stage.person()
    host = await stage.reading()
    for name, source in (ANSWERS | PLAIN_ANSWERS).items():
        sent = await reply(stage, host, ann, source)
        parts = render(sayable(source), "markdown")
        assert len(sent.messages) == len(parts), name
        refused = 1 if name == "what looks like an address" else 0
        assert len(sent.refused) == refused, name
        for part, message in zip(parts, sent.messages, strict=True):
            assert ("rich_message" in message) == (part.rich is not None and not refused), name
            assert not {"text", "rich_message"} <= message.keys()
            assert words(part.plain) == message_words(message) or "rich_message" in message, name
        shown = [word for message in sent.messages for word in message_words(message)]
        if all("rich_message" in message for message in sent.messages):
            assert is_within(markdown_words(source), shown), name
        assert set(markdown_words(source)) <= set(shown), name
    linked = json.dumps([message.get("rich_message") for message in ann.messages()])
    assert "https://example.org/bare?x=1" in linked
    assert '"url": "README.md"' not in linked
    assert "plain text" not in (await stage.cli("status", "telegram")).out
    await host.close()

    stage.tg.set_version("10.0")
    host = await stage.reading()
    refused_in_all = 0
    for name, source in ANSWERS.items():
        sent = await reply(stage, host, ann, source)
        refused_in_all += len(sent.refused)
        plain = [words(part.plain) for part in render(sayable(source), "markdown")]
        assert [message_words(message) for message in sent.messages] == plain, name
        shown = {word for part in plain for word in part}
        # Of a column without a cell, text does not say the name.
        assert set(markdown_words(source)) - {"A", "first", "heading", "of", "the", "table"} <= shown, name
    assert refused_in_all == 1
    status = await stage.cli("status", "telegram")
    assert OLD in status.out
    assert OLD in (await stage.cli("status", "telegram", "--json")).json["plain_only"]
    doctor = await stage.cli("doctor", "telegram", "--json")
    (found,) = [check for check in doctor.json["channels"][0]["checks"] if check["check"] == "rich messages"]
    assert (found["state"], OLD in found["found"]) == ("note", True)
    await host.close()

    # Until the next start: then it is tried once, and works.
    stage.tg.set_version("10.5")
    host = await stage.reading()
    assert "rich_message" in (await reply(stage, host, ann, TASKS)).messages[0]
    assert OLD not in (await stage.cli("status", "telegram")).out


async def test_a_refusal_at_each_step_sends_the_same_as_text_at_once(stage: Stage) -> None:
    """Whatever the refusal: the same part as text, once, in the same call; also if that waits for a rate limit."""
    ann = stage.person()
    host = await stage.reading()
    table = ANSWERS["thirty thousand characters of a table"]
    parts = len(render(table, "markdown"))
    for number, description in enumerate(REFUSALS):
        refuse(stage, "sendRichMessage", description)
        sent = await reply(stage, host, ann, TASKS)
        assert sent.methods == ["sendRichMessage", "sendMessage"], description
        assert sent.messages[0]["text"] == "Plan:\n\n☑ read\n☐ write tests"
        assert {entity["type"] for entity in sent.messages[0]["entities"]} == {"code"}
        if number == 0:
            refuse(stage, "sendRichMessage", description)
            sent = await reply(stage, host, ann, table)
            assert ["rich_message" in message for message in sent.messages] == [False] + [True] * (parts - 1)
    # The text meets a rate limit: the rich form is not tried again.
    refuse(stage, "sendRichMessage", REFUSALS[1])
    stage.tg.faults.add("flood", method="sendMessage", times=1, retry_after=0)
    sent = await reply(stage, host, ann, TASKS)
    assert sent.methods == ["sendRichMessage", "sendMessage", "sendMessage"]
    # Even text with formatting is refused: without.
    refuse(stage, "sendRichMessage", REFUSALS[1])
    refuse(stage, "sendMessage", "can't parse entities")
    sent = await reply(stage, host, ann, TASKS)
    assert (sent.methods, "entities" in sent.messages[0]) == (["sendRichMessage", "sendMessage", "sendMessage"], False)


async def test_what_is_no_refusal_of_the_form_is_never_tried_in_another(stage: Stage) -> None:
    """A rate limit and a server's fault are waited for, a cut is unknown, and a thread that is gone is told."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("flood", method="sendRichMessage", times=1, retry_after=0)
    assert (await reply(stage, host, ann, TASKS)).methods == ["sendRichMessage"] * 2
    stage.tg.faults.add("error", method="sendRichMessage", times=1, status=500)
    assert (await reply(stage, host, ann, TASKS)).methods == ["sendRichMessage"] * 2
    stage.tg.faults.add("html", method="sendRichMessage", times=1, status=502)
    assert (await reply(stage, host, ann, TASKS)).methods == ["sendRichMessage"] * 2
    for kind, arrived in (("drop_after", 1), ("drop_body", 1), ("drop_before", 0)):
        sent = Sent(stage, ann)
        stage.tg.faults.add(kind, method="sendRichMessage", times=1)
        result = await host.call("reply", chat_id=ann.id, text=TASKS, idempotency_key=kind)
        assert "unknown" in result.text, kind
        await host.call("reply", chat_id=ann.id, text=TASKS, idempotency_key=kind)
        assert (len(sent.messages), set(sent.methods)) == (arrived, {"sendRichMessage"}), kind
    for description in ("Message thread not found", "Not enough rights to send the rich message to the chat"):
        sent = Sent(stage, ann)
        refuse(stage, "sendRichMessage", description)
        assert description in await host.refused("reply", chat_id=ann.id, text=TASKS)
        assert (sent.methods, sent.messages) == (["sendRichMessage"], [])
    sent = await reply(stage, host, ann, TASKS, reply_to="123456")
    assert "rich_message" in sent.messages[0]


async def test_an_edit_changes_the_form_in_place(stage: Stage) -> None:
    """Text to rich and back keeps the message; a refused rich form is text in the same call; buttons keep it text."""
    ann = stage.person()
    host = await stage.reading()
    message_id = (await reply(stage, host, ann, "Working.")).messages[0]["message_id"]

    async def edit(text: str, **more: Any) -> Sent:
        sent = Sent(stage, ann)
        stage.tg.advance(60)
        await host.done("edit_message", chat_id=ann.id, message_id=message_id, text=text, **more)
        assert sent.messages == []
        return sent

    def shown() -> dict[str, Any]:
        return next(message for message in ann.messages() if message["message_id"] == message_id)

    await edit(TASKS)
    assert "text" not in shown()
    assert [item["is_checked"] for item in shown()["rich_message"]["blocks"][1]["items"]] == [True, False]
    await edit("Done.")
    assert (shown()["text"], "rich_message" in shown()) == ("Done.", False)
    for description in REFUSALS[:2]:
        refuse(stage, "editMessageText", description)
        assert (await edit(TASKS)).methods == ["editMessageText"] * 2
        assert shown()["text"].startswith("Plan:")
        await edit("Done.")
    await edit(TASKS)
    # The same again is no error.
    await edit(TASKS)
    assert "rich_message" in shown()
    question = (await reply(stage, host, ann, "?")).messages[0]["message_id"]
    await host.done("edit_message", chat_id=ann.id, message_id=question, text=TASKS, buttons=[["Yes"]])
    assert ann.messages()[-1]["text"].startswith("Plan:")
    # A server that does not look at the parameter misses the text: that is an old server, and no empty message.
    await edit("Done.")
    stage.tg.set_version("10.0")
    sent = await edit(TASKS)
    assert (sent.methods, sent.refused) == (["editMessageText"] * 2, [400])
    assert shown()["text"].startswith("Plan:")
    assert (await reply(stage, host, ann, TASKS)).methods == ["sendMessage"]
    assert OLD in (await stage.cli("status", "telegram")).out


async def test_a_task_list_that_is_edited_thirty_times_shows_the_last_state(stage: Stage) -> None:
    """Edits that come faster than Telegram shows them are merged: one message, few calls, every tick at the end."""
    ann = stage.person()
    stage.tg.set_flood(1.0, 3)
    host = await stage.reading()

    def plan(done: int) -> str:
        return "\n".join(f"- [{'x' if number < done else ' '}] step {number}" for number in range(30))

    message_id = (await reply(stage, host, ann, plan(0))).messages[0]["message_id"]
    sent = Sent(stage, ann)
    edits = [
        host.calling("edit_message", chat_id=ann.id, message_id=message_id, text=plan(done)) for done in range(1, 31)
    ]
    results = await asyncio.gather(*(host.answered(one) for one in edits))
    assert not any(result.failed for result in results)
    message = next(one for one in ann.messages() if one["message_id"] == message_id)
    (tasks,) = message["rich_message"]["blocks"]
    assert all(item["is_checked"] for item in tasks["items"])
    assert sent.messages == []
    assert (sent.refused, len(sent.methods) < 10) == ([], True)


async def test_a_chat_chooses_and_the_setting_holds_elsewhere(stage: Stage) -> None:
    """/rich off sends text there, in a group for approvers; the history says the same of both forms."""
    ann, bob = stage.person(), stage.person("bob")
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    host = await stage.reading()
    assert (await host.done("reply", chat_id=ann.id, text=TASKS)).startswith("sent")
    assert "rich_message" in await ann.next_message()
    ann.send("/rich")
    answer = (await ann.next_message())["text"]
    assert "auto" in answer
    assert "/rich auto or off" in answer
    ann.send("/rich off")
    assert "everything as plain text" in (await ann.next_message())["text"]
    await host.done("reply", chat_id=ann.id, text=TASKS)
    assert (await ann.next_message())["text"] == "Plan:\n\n☑ read\n☐ write tests"
    assert (await host.done("fetch_messages", chat_id=ann.id, limit=20)).count("☑ read") == 2
    bob.send("/rich off", chat=group)
    assert "only an approver" in (await group.next_message())["text"]
    await host.done("reply", chat_id=group.id, text=TASKS)
    assert "rich_message" in await group.next_message()
    await host.close()
    stage.config(grace_s=0, rich=False)
    host = await stage.reading()
    await host.done("reply", chat_id=group.id, text=TASKS)
    assert "text" in await group.next_message()
    ann.send("/rich auto", chat=group)
    assert "auto" in (await group.next_message())["text"]
    await host.done("reply", chat_id=group.id, text=TASKS)
    assert "rich_message" in await group.next_message()


@pytest.mark.parametrize("format_", ["text", "html", "markdownv2"])
async def test_other_formats_and_captions_are_what_they_were(stage: Stage, format_: str) -> None:
    """Only Markdown has a rich form; a caption and a question with buttons have none."""
    ann = stage.person()
    host = await stage.reading()
    text = {"text": TASKS, "html": "<b>- [ ] x</b>", "markdownv2": "*\\- \\[ \\] x*"}[format_]
    assert (await reply(stage, host, ann, text, format=format_)).methods == ["sendMessage"]
    if format_ == "text":
        picture = stage.project / "notes.txt"
        picture.write_text("x", encoding="utf-8")
        sent = await reply(stage, host, ann, TASKS, files=[str(picture)])
        assert sent.messages[0]["caption"].startswith("Plan:")
        assert (await reply(stage, host, ann, TASKS, buttons=[["Yes", "No"]])).methods == ["sendMessage"]
