"""What the platforms of 2026 show: rich messages, folds, topics, drafts, buttons, and words for one person alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from agent_channels.sandbox.page.run import Page, open_page
from agent_channels.sandbox.telegram.records import Message, TelegramChat
from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = [pytest.mark.long, pytest.mark.cold, pytest.mark.asyncio(loop_scope="session")]

LOOKS = [(390, "dark"), (390, "light"), (1280, "light"), (1280, "dark")]
NOON = 1_790_000_000
# What is drawn beyond the chat's right edge, other than what scrolls by itself.
OUTSIDE = """() => {
  const edge = document.getElementById("log").getBoundingClientRect().right;
  return [...document.querySelectorAll("#log :is(.body, .grid, .under, .name, .opener) *")]
    .filter((one) => !one.closest("pre, .scroll, .visually-hidden") && one.getBoundingClientRect().right > edge + 0.5)
    .map((one) => one.outerHTML.slice(0, 90));
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def page() -> AsyncIterator[Page]:
    """The sandbox without channel servers: what is shown here needs none."""
    async with open_page(0, scripted=False) as up:
        yield up


def p(*pieces: Any) -> dict[str, Any]:
    return {"type": "paragraph", "text": list(pieces)}


def item(words: str, **fields: Any) -> dict[str, Any]:
    return {"blocks": [p(words)], **fields}


CELLS = [
    [{"text": f"column {n}", "is_header": True, "align": "left", "valign": "top"} for n in range(9)],
    *[[{"text": f"cell {row}.{n}", "align": "right", "valign": "top"} for n in range(9)] for row in range(3)],
]
# Words without a place to break, in scripts of three directions and kinds.
LONG = "超長文字" * 40 + " " + "ثابت" * 60 + " " + "👩‍👩‍👧‍👦" * 40 + " " + "Donaudampfschiff" * 20
EVERYTHING: list[dict[str, Any]] = [
    {"type": "heading", "size": 2, "text": "Release 4.2"},
    p("all ", {"type": "bold", "text": ["of ", {"type": "italic", "text": "them"}]}, " pass ", LONG),
    p({"type": "url", "text": "the run", "url": "https://ci.example.com/1"}, {"type": "spoiler", "text": "the secret"}),
    p({"type": "mention", "text": "@ann", "username": "ann"}, {"type": "custom_emoji", "alternative_text": "🚀"}),
    p({"type": "reference_link", "text": "1", "reference_name": "a"}, {"type": "hologram", "text": "a new kind"}),
    {"type": "list", "items": [item("tested", has_checkbox=True, is_checked=True), item("open", has_checkbox=True)]},
    {"type": "list", "items": [item("third", value=3), item("fourth")]},
    {"type": "list", "items": [item("a bullet")]},
    {"type": "table", "cells": CELLS, "caption": "a caption", "is_striped": True, "is_bordered": True},
    {"type": "pre", "text": "x = '" + "1" * 200 + "'", "language": "python"},
    {"type": "blockquote", "blocks": [p("quoted")], "credit": "Ben"},
    {"type": "pullquote", "text": "pulled"},
    {"type": "expandable_blockquote", "blocks": [p("\n".join(f"quoted {n}" for n in range(9)))]},
    {"type": "expandable_blockquote", "text": "\n".join(f"older {n}" for n in range(9)), "credit": "Ann"},
    {"type": "details", "summary": "The log", "blocks": [p("what is in it")]},
    {"type": "details", "summary": "Open", "blocks": [p("seen at once")], "is_open": True},
    {"type": "divider"},
    {"type": "mathematical_expression", "expression": "E = mc^2"},
    {"type": "anchor", "name": "here"},
    {"type": "map", "location": {"latitude": 1, "longitude": 2}, "zoom": 1, "width": 1, "height": 1},
    {"type": "collage", "blocks": [{"type": "audio", "audio": {"file_name": "song.mp3"}}], "caption": {"text": "two"}},
    {"type": "footer", "text": "a footer"},
    {"type": "hologram", "summary": "unknown", "blocks": [p("kept"), {"type": "wave", "cells": [[{"text": "too"}]]}]},
    {"type": "thinking", "text": "Running tests"},
    p({"type": "reference", "text": "the note", "name": "a"}),
    {
        "type": "buttons",
        "buttons": [
            {"text": "Yes", "callback_data": "y", "style": "success"},
            {"text": "No", "callback_data": "n", "style": "danger"},
            {"text": "Gone", "disabled": {}},
        ],
    },
]


def say(screen: Screen, chat: TelegramChat, **fields: Any) -> Message:
    """Post as the bot."""
    state = screen.page.scene.tg.state
    return state.post(chat, state.bot, fields)


def dm(screen: Screen) -> TelegramChat:
    """Return Ann's private chat."""
    chat: TelegramChat = screen.page.scene.tg.people["ann"].dm
    return chat


def for_one(screen: Screen, chat: TelegramChat, handle: str, text: str) -> None:
    """Post what only this person sees, as a server keeps it."""
    tg = screen.page.scene.tg
    message = {"message_id": 0, "ephemeral_message_id": 1, "from": tg.state.bot.as_dict(), "date": int(tg.state.now())}
    message |= {"chat": chat.as_dict(), "receiver_user": tg.people[handle].user.as_dict(), "text": text}
    vars(tg.state).setdefault("ephemerals", {})[1] = SimpleNamespace(chat_id=chat.id, message=message)
    tg.state.changed()


async def looks_right(screen: Screen) -> None:
    """Everything can be read, and nothing is wider than the screen."""
    assert [one for one in await screen.tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
    assert await screen.tab.evaluate(WIDE) == []
    assert await screen.tab.evaluate(OUTSIDE) == []


async def test_every_block_of_a_rich_message_is_drawn(show) -> None:  # type: ignore[no-untyped-def]
    """Each kind of block is found by its role and words, on each screen, and nothing breaks the layout."""
    for width, scheme in LOOKS:
        screen: Screen = await show(width=width, scheme=scheme)
        if width == 390 and scheme == "dark":
            say(screen, dm(screen), rich_message={"blocks": EVERYTHING})
        message = await screen.sees("Release 4.2")
        await looks_right(screen)
    await expect(message.get_by_role("heading", name="Release 4.2", level=4)).to_be_visible()
    await expect(message.locator("strong em")).to_have_text("them")
    await expect(message.get_by_role("link", name="the run")).to_have_attribute("href", "https://ci.example.com/1")
    await expect(message.get_by_role("img", name="done")).to_have_count(1)
    await expect(message.get_by_role("img", name="to do")).to_have_count(1)
    await expect(message.locator("ol li").first).to_have_attribute("value", "3")
    table = message.get_by_role("region", name="Table")
    await expect(table.get_by_role("columnheader")).to_have_count(9)
    assert await table.evaluate("box => box.scrollWidth > box.clientWidth")
    for text in (
        "a new kind",
        "pulled",
        "E = mc^2",
        "song.mp3",
        "a footer",
        "too",
        "Running tests",
        "🚀",
        "seen at once",
    ):
        await expect(message.get_by_text(text).first).to_be_visible()
    await expect(message.get_by_text("what is in it")).to_be_hidden()
    await expect(message.get_by_role("button", name="Gone")).to_be_disabled()
    entry = screen.tab.locator("#chats small", has_text="Release 4.2 all of them pass")
    await expect(entry).to_be_visible()


async def test_what_is_folded_opens_and_stays_open(show) -> None:  # type: ignore[no-untyped-def]
    """Three lines of a folded quote are shown, details are closed; a tap or Enter opens them, an edit leaves that."""
    screen: Screen = await show(width=390)
    lines = "\n".join(f"line {n}" for n in range(9))
    say(screen, dm(screen), text=f"short\n{lines}", entities=[fold(0, 5), fold(6, len(lines))])
    sent = say(screen, dm(screen), rich_message={"blocks": EVERYTHING})
    plain = await screen.sees("short")
    quotes = plain.locator("blockquote")
    await expect(quotes.first.get_by_role("button")).to_be_hidden()
    more = quotes.last.get_by_role("button", name="Show more")
    height = "quote => quote.querySelector('.fold').getBoundingClientRect().height"
    before = await quotes.last.evaluate(height)
    await expect(more).to_have_attribute("aria-expanded", "false")
    await more.press("Enter")
    await expect(quotes.last.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")
    assert await quotes.last.evaluate(height) > before * 2.5
    rich = await screen.sees("Release 4.2")
    await rich.get_by_text("The log").press("Enter")
    await expect(rich.get_by_text("what is in it")).to_be_visible()
    await rich.get_by_text("quoted 0").click()
    sent["rich_message"] = {"blocks": [*EVERYTHING, p("edited in")]}
    screen.page.scene.tg.state.edited(dm(screen), sent)
    await screen.sees("edited in")
    await expect(rich.get_by_text("what is in it")).to_be_visible()
    await expect(rich.get_by_role("button", name="Show less")).to_have_count(1)


def fold(offset: int, length: int) -> dict[str, Any]:
    return {"type": "expandable_blockquote", "offset": offset, "length": length}


async def test_a_long_rich_message_shows_its_beginning(show) -> None:  # type: ignore[no-untyped-def]
    """About 8,000 characters are shown, and the rest after Show more, as clients do."""
    screen: Screen = await show()
    blocks = [p(f"paragraph {n} ", "x" * 980) for n in range(20)]
    say(screen, dm(screen), rich_message={"blocks": blocks})
    message = await screen.sees("paragraph 7")
    assert 7_500 < len(await message.locator(".rich").inner_text()) < 8_500
    await expect(message.get_by_text("paragraph 19")).to_have_count(0)
    await message.get_by_role("button", name="Show more").click()
    await expect(message.get_by_text("paragraph 19")).to_have_count(1)


def deep(levels: int, kind: str) -> dict[str, Any]:
    block: dict[str, Any] = p("the deepest")
    for _ in range(levels):
        block = {"type": kind, "blocks": [block], "items": [{"blocks": []}], "text": {"type": kind, "text": "<b>"}}
    return block


HTML = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
HOSTILE: list[Any] = [
    p(HTML),
    p({"type": "url", "text": HTML, "url": "javascript:document.title=3"}),
    {"type": "pre", "text": {"type": "constructor", "text": HTML}, "language": '"><b>'},
    {"type": "heading", "size": "<b>", "text": None},
    {"type": "table", "cells": [None, [1, None, {"text": HTML, "colspan": 10**9, "align": "<b>"}], {"text": "x"}]},
    {"type": "list", "items": [None, {"blocks": "x", "value": "<b>", "type": "__proto__"}, {"label": 7}]},
    {"type": "photo", "photo": [{"file_id": '../../"><b>', "file_name": HTML}]},
    {"type": "document", "document": {"file_id": "javascript:1", "file_name": HTML}},
    {"type": "details", "summary": {"type": "toString"}, "blocks": {"a": 1}},
    {"type": "map", "location": HTML},
    {"type": "buttons", "buttons": [None, 7, {"text": HTML, "url": "javascript:1"}, {"text": ["a", {"text": "b"}]}]},
    {"type": "date_time"},
    p({"type": "date_time", "text": "when", "unix_time": "1e400"}, {"type": "anchor_link", "anchor_name": '"] *'}),
    {"type": "paragraph", "text": [[[[["nested"]]]]]},
    {"type": ["x"], "text": {"type": {}}},
    "a string",
    None,
    deep(16, "hologram"),
    deep(80, "blockquote"),
]


async def test_hostile_messages_are_text(show) -> None:  # type: ignore[no-untyped-def]
    """Markup, scripts, dangerous addresses, wrong types and endless texts are drawn as text, without one error."""
    screen: Screen = await show(width=390)
    scene = screen.page.scene
    ann = scene.tg.people["ann"]
    ann.send_content({"rich_message": {"blocks": HOSTILE, "is_rtl": "<b>"}})
    ann.send_content({"rich_message": {"blocks": [p("y" * 100_000)]}})
    ann.send_content({"rich_message": {"blocks": "none"}})
    ann.send_content({"rich_message": HTML})
    spans = [{"type": kind, "offset": 0, "length": 9} for kind in ("constructor", "date_time", "toString")]
    ann.send_content({"text": HTML, "entities": [*spans, {"type": "text_link", "url": "javascript:1", **spans[0]}]})
    say(screen, dm(screen), text="z" * 100_000)
    buttons = [{"text": HTML, "url": "javascript:1"}, {"text": LONG, "style": "x y", "callback_data": "1"}]
    say(screen, dm(screen), text="last of Telegram's", reply_markup={"inline_keyboard": [buttons]})
    await screen.sees("last of Telegram's")
    text = await screen.tab.locator("#log").inner_text()
    assert text.count("<img src=x onerror") >= 5
    assert "a string" in text
    assert text.count("the deepest") == 2
    await looks_right(screen)
    marks = ("**", "~~", "||", "`", "> ", "[", "](", "\\", "_", "```", "- ", "# ", "<t:", "1. ")
    for written in (
        f"{HTML} [x](javascript:1) <javascript:1>",
        "".join(marks) * 60,
        "**" * 900,
        "[" * 1900,
        "> " * 900,
    ):
        scene.dc.people["ann"].send(written)
    scene.dc.people["ann"].send_content({"content": "w" * 100_000 + "last of Discord's"})
    await screen.go("Ann", "discord")
    await screen.sees("last of Discord's")
    await looks_right(screen)
    for place in ("telegram", "discord"):
        await screen.go("Ann", place)
        assert await screen.tab.locator("#log img, #log script, #log iframe, #log b b").count() == 0
        links = await screen.tab.locator("#log a").evaluate_all("all => all.map(one => one.protocol)")
        assert set(links) <= {"http:", "https:"}
    assert await screen.tab.title() == "Agent Channels sandbox"


async def test_words_for_one_person_are_shown_to_nobody_else(show) -> None:  # type: ignore[no-untyped-def]
    """An ephemeral answer is marked, is only there for whom it is, and leaves no trace for the others."""
    screen: Screen = await show(width=390, scheme="dark")
    tg = screen.page.scene.tg
    team = next(iter(tg.groups.values()))
    tg.people["ben"].send("morning", chat=team)
    for_one(screen, team.chat, "ann", "You may not answer this")
    await screen.go("Release team", "telegram")
    own = await screen.sees("You may not answer this")
    await expect(own).to_contain_text("Only you can see this")
    await expect(own.get_by_role("button")).to_have_count(0)
    await looks_right(screen)
    await screen.tab.get_by_label("Speak as").select_option("ben")
    await expect(own).to_have_count(0)
    await expect(screen.tab.locator("#log")).to_contain_text("morning")
    assert "You may not" not in await screen.tab.locator("body").inner_text()
    tg.state.commands["default", ""] = [{"command": "pair", "description": "Pair", "is_ephemeral": True}]
    async with screen.tab.expect_response("**/act/telegram/send") as answer:
        await screen.say("/pair now")
    assert (await (await answer.value).json())["message"]["message_id"] == 0
    assert "/pair" not in json.dumps(team.messages())


async def test_topics_of_a_group(show) -> None:  # type: ignore[no-untyped-def]
    """Topics are listed with unread marks, each is read and written to alone, new ones begin, closed ones say so."""
    screen: Screen = await show(width=390)
    tg = screen.page.scene.tg
    forum = tg.directory.find_group("Projects")
    assert forum
    website = next(number for number, name in forum.chat.topics.items() if name == "Website")
    await screen.go("Projects", "telegram")
    strip = screen.tab.get_by_role("navigation", name="Topics")
    await expect(strip.get_by_role("button")).to_have_text(["All", "#General", "WWebsite", "New topic"])
    await screen.say("to everybody")
    box = screen.tab.get_by_label("Message", exact=True)
    one_line = await box.bounding_box()
    await strip.get_by_role("button", name="Website").click()
    await screen.say("about the site")
    await expect(screen.tab.locator("#log .message")).to_have_count(1)
    assert forum.messages()[-1]["message_thread_id"] == website
    tg.people["ben"].send("elsewhere", chat=forum)
    await expect(strip.get_by_role("button", name="General")).to_contain_text("1 new")
    await strip.get_by_role("button", name="New topic").click()
    name = "修正 " + "長" * 80
    await screen.tab.get_by_role("dialog").get_by_label("Name").fill(name)
    await screen.tab.get_by_role("button", name="Start").click()
    await expect(strip.get_by_role("button", name="修正")).to_have_attribute("aria-current", "true")
    await expect(screen.tab.get_by_label("Message", exact=True)).to_have_attribute("placeholder", f"Message in {name}")
    await screen.say("in the new one")
    await expect(box).to_have_value("")
    written = await box.bounding_box()
    assert one_line
    assert written
    assert written["height"] == one_line["height"]
    new = forum.messages()[-1]["message_thread_id"]
    assert forum.chat.topics[new] == name
    await looks_right(screen)
    forum.chat.closed_topics.add(new)
    tg.state.changed()
    await expect(strip.get_by_role("button", name="修正")).to_contain_text("closed")
    await expect(screen.tab.get_by_label("Message", exact=True)).to_be_disabled()
    await strip.get_by_role("button", name="All").press("Enter")
    message = await screen.sees("about the site")
    await expect(message.get_by_role("button", name="Topic Website")).to_be_visible()
    await looks_right(screen)
    for number in [number for number, one in forum.chat.messages.items() if one.get("message_thread_id") == new]:
        del forum.chat.messages[number]
    tg.state.changed()
    await expect(strip.get_by_role("button", name="修正")).to_have_count(0)


async def test_topics_of_a_private_chat(show) -> None:  # type: ignore[no-untyped-def]
    """A private chat with topics looks the same, renamed ones by their new name; others have no strip at all."""
    screen: Screen = await show()
    strip = screen.tab.get_by_role("navigation", name="Topics")
    await expect(strip).to_be_hidden()
    place = {"message_thread_id": 900, "is_topic_message": True}
    created = {"name": "New Chat", "icon_color": 7322096, "is_name_implicit": True}
    say(screen, dm(screen), message_id=900, **place, forum_topic_created=created)
    say(screen, dm(screen), message_id=901, **place, text="in it")
    say(screen, dm(screen), message_id=902, **place, forum_topic_edited={"name": "Fix the tests"})
    say(screen, dm(screen), message_id=903, message_thread_id=7, is_topic_message=True, text="orphan")
    tab = strip.get_by_role("button", name="Fix the tests")
    await expect(tab.locator(".dot")).to_have_css("background-color", "rgb(111, 185, 240)")
    orphan = await screen.sees("orphan")
    await expect(orphan.get_by_role("button", name="Topic a deleted topic")).to_be_visible()
    await tab.click()
    await expect(screen.tab.locator("#log .message .text")).to_have_text([re.compile("^in it")])


async def test_threads_of_a_channel(show) -> None:  # type: ignore[no-untyped-def]
    """A Discord channel's threads are beside it: opened from a message, begun by name, archived and locked shown."""
    screen: Screen = await show(width=390, scheme="dark")
    dc = screen.page.scene.dc
    channel = dc.directory.find_channel("general")
    assert channel
    ben = dc.people["ben"]
    sent = ben.send("a bug", channel=channel)
    thread = channel.thread("Bug", by=ben, message=sent)
    ben.send("more about it", channel=thread)
    await screen.go("#general", "discord")
    await (await screen.sees("a bug")).get_by_role("button", name="Open the thread Bug").click()
    await screen.sees("more about it")
    await screen.sees("a bug")
    await screen.say("thanks")
    assert thread.messages()[-1]["content"] == "thanks"
    strip = screen.tab.get_by_role("navigation", name="Topics")
    await strip.get_by_role("button", name="New thread").click()
    await screen.tab.get_by_role("dialog").get_by_label("Name").fill("Second")
    await screen.tab.get_by_role("dialog").get_by_label("Name").press("Enter")
    await expect(strip.get_by_role("button", name="Second")).to_have_attribute("aria-current", "true")
    await screen.say("first words")
    second = dc.directory.find_channel("Second")
    assert second
    assert second.messages()[-1]["content"] == "first words"
    await looks_right(screen)
    thread.archive()
    second.archive(locked=True)
    await expect(strip.get_by_role("button", name="Bug")).to_contain_text("archived")
    await expect(strip.get_by_role("button", name="Second")).to_contain_text("closed")
    await expect(screen.tab.get_by_label("Message", exact=True)).to_be_disabled()
    await strip.get_by_role("button", name="#general").click()
    await expect(screen.tab.locator("#log")).to_contain_text("Ann started a thread.")


async def test_small_buttons(show) -> None:  # type: ignore[no-untyped-def]
    """Copy copies and says so, a link shows its host, a used button is off, a question opens the reply to itself."""
    screen: Screen = await show(width=390)
    await screen.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    rows = [
        [
            {"text": "Copy it", "copy_text": {"text": "git push"}},
            {"text": "Run", "url": "https://ci.example.com/7?x=y"},
        ],
        [
            {"text": "Allow ✓", "disabled": {}, "style": "success"},
            {"text": "Stop", "callback_data": "s", "style": "danger"},
        ],
    ]
    asked = say(screen, dm(screen), text="Which?", reply_markup={"inline_keyboard": rows, "force_reply": True})
    await expect(screen.tab.locator("#replying")).to_contain_text("Reply to Your agentWhich?")
    message = await screen.sees("Which?")
    await message.get_by_role("button", name="Copy it").click()
    await expect(screen.tab.get_by_role("alert")).to_have_text("Copied: git push")
    assert await screen.tab.evaluate("navigator.clipboard.readText()") == "git push"
    await expect(message.get_by_role("link", name="Run")).to_contain_text("ci.example.com")
    await expect(message.get_by_role("button", name="Allow ✓")).to_be_disabled()
    await looks_right(screen)
    await screen.say("the second")
    await screen.sees("the second")
    assert dm(screen).current_messages()[-1]["reply_to_message"]["message_id"] == asked["message_id"]
    await expect(screen.tab.locator("#replying")).to_be_hidden()


async def test_a_draft_is_shown_until_the_message_comes(show) -> None:  # type: ignore[no-untyped-def]
    """A draft is a bubble of its own, with Stop where the bot allows it, and goes when its message comes."""
    screen: Screen = await show(width=390, scheme="dark")
    chat, state = dm(screen), screen.page.scene.tg.state
    drafts = vars(chat).setdefault("drafts", {})
    drafts[None] = SimpleNamespace(id=5, text="", thread_id=None, can_stop=False, keep_on_stop=False, at=state.now())
    state.changed()
    shown = screen.tab.get_by_role("list", name="Drafts").get_by_role("listitem", name="Your agent is writing")
    await expect(shown).to_have_text("Thinking…")
    drafts[None] = SimpleNamespace(
        id=5, text="So far", thread_id=None, can_stop=True, keep_on_stop=True, at=state.now()
    )
    state.changed()
    await expect(shown).to_contain_text("So far")
    await looks_right(screen)
    pressed = []

    async def take(route) -> None:  # type: ignore[no-untyped-def]
        pressed.append(route.request.post_data_json)
        await route.fulfill(json={"ok": True})

    await screen.tab.route("**/act/telegram/stop_draft", take)
    async with screen.tab.expect_response("**/act/telegram/stop_draft"):
        await shown.get_by_role("button", name="Stop").press("Enter")
    assert pressed == [{"place": "telegram/ann", "as": "ann", "thread_id": None}]
    drafts.clear()
    say(screen, chat, text="So far, and to the end")
    await screen.sees("and to the end")
    await expect(shown).to_have_count(0)


async def test_times_are_those_of_the_reader(show) -> None:  # type: ignore[no-untyped-def]
    """A moment in a message is told in the zone of who reads it, on both platforms."""
    for zone, clock, day in (("Asia/Taipei", "10:13 PM", "21"), ("Pacific/Kiritimati", "04:13 AM", "22")):
        screen: Screen = await show(zone=zone)
        if zone == "Asia/Taipei":
            spans = [{"type": "date_time", "offset": 7, "length": 4, "unix_time": NOON, "date_time_format": "Dt"}]
            say(screen, dm(screen), text="resets soon, and so on", entities=spans)
            screen.page.scene.dc.people["ann"].send(f"resets <t:{NOON}:f> <t:{NOON}:T> <t:{NOON}:R>")
        await expect(await screen.sees("resets")).to_contain_text(f"resets September {day}, 2026 at {clock}, and so on")
        await screen.go("Ann", "discord")
        message = await screen.sees("resets")
        await expect(message).to_contain_text(f"September {day}, 2026 at {clock}")
        await expect(message.locator("time[data-elapsed]")).to_contain_text("ago")


async def test_people_are_told_apart(show) -> None:  # type: ignore[no-untyped-def]
    """In groups everybody has a name, initial and colour, the same on both platforms."""
    colours = []
    for platform, title in (("telegram", "Release team"), ("discord", "#general")):
        screen: Screen = await show(width=390)
        scene = screen.page.scene
        group, room = next(iter(scene.tg.groups.values())), scene.dc.directory.find_channel("general")
        for handle in ("ann", "ben"):
            if platform == "telegram":
                scene.tg.people[handle].send(f"from {handle}", chat=group)
            else:
                scene.dc.people[handle].send(f"from {handle}", channel=room)
        await screen.go(title, platform)
        for handle in ("ann", "ben"):
            name = (await screen.sees(f"from {handle}")).locator(".name")
            await expect(name).to_contain_text(handle.title())
            colours.append(await name.evaluate("one => getComputedStyle(one).color"))
        await expect((await screen.sees("from ben")).locator(".face")).to_have_text("B")
    assert colours[:2] == colours[2:]
    assert colours[0] != colours[1]
