"""Text: limits, markup, entities, and Telegram's error messages."""

from __future__ import annotations

import json

import pytest

from agent_channels.sandbox.telegram.entities import detect, format_text
from agent_channels.sandbox.telegram.errors import BotApiError

pytestmark = pytest.mark.cold

PEOPLE = {7: {"id": 7, "is_bot": False, "first_name": "Ann"}}


def shape(text, mode="", entities=None):
    """Return (text, [(type, offset, length)]) as the server keeps them."""
    found, kept = format_text(text, mode, entities, PEOPLE.get)
    return found, [(one["type"], one["offset"], one["length"]) for one in kept]


def refusal(text, mode="", entities=None):
    with pytest.raises(BotApiError) as caught:
        format_text(text, mode, entities, PEOPLE.get)
    return caught.value.description.removeprefix("Bad Request: ").removeprefix("can't parse entities: ")


@pytest.mark.parametrize(
    ("markup", "text", "entities"),
    [
        ("<b>bold</b>", "bold", [("bold", 0, 4)]),
        ("<STRONG>a</STRONG><em>b</em>", "ab", [("bold", 0, 1), ("italic", 1, 1)]),
        ("<b>a<i>b<u>c</u></i></b>", "abc", [("bold", 0, 3), ("italic", 1, 2), ("underline", 2, 1)]),
        ("<s>x</s> <del>y</del>", "x y", [("strikethrough", 0, 1), ("strikethrough", 2, 1)]),
        ('<span class="tg-spoiler">x</span>', "x", [("spoiler", 0, 1)]),
        ("<tg-spoiler>x</tg-spoiler>", "x", [("spoiler", 0, 1)]),
        ("<code>a &lt; b</code>", "a < b", [("code", 0, 5)]),
        ("<pre>x\ny</pre>", "x\ny", [("pre", 0, 3)]),
        ("<blockquote>q</blockquote>", "q", [("blockquote", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
        ("&amp;&#38;&#x26;&quot; &nbsp;", '&&&" &nbsp;', []),
        ("🎉 <b>x</b>", "🎉 x", [("bold", 3, 1)]),
        ('<a href="http://ya.ru">x</a>', "x", [("text_link", 0, 1)]),
        ('<a href="no link">x</a>', "x", []),
        ('<a href="tg://user?id=7">x</a>', "x", [("text_mention", 0, 1)]),
        ('<a href="tg://user?id=8">stranger</a>', "stranger", []),
        ('<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>', "👍", [("custom_emoji", 0, 2)]),
        ("<b></b>x", "x", []),
    ],
)
def test_html(markup, text, entities):
    """HTML becomes text and entities with UTF-16 offsets."""
    assert shape(markup, "HTML") == (text, entities)


def test_html_code_language():
    """A language is kept for pre with code inside, in either nesting, and dropped for code alone."""
    for markup in (
        '<pre><code class="language-python">x</code></pre>',
        '<code class="language-python"><pre>x</pre></code>',
    ):
        assert format_text(markup, "html", None, PEOPLE.get)[1] == [
            {"type": "pre", "offset": 0, "length": 1, "language": "python"}
        ]
    alone = format_text('<code class="language-python">x</code>', "html", None, PEOPLE.get)[1]
    assert alone == [{"type": "code", "offset": 0, "length": 1}]


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<b>unclosed", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<script>x</script>", 'Unsupported start tag "script" at byte offset 0'),
        ("ä<br/>", 'Unsupported start tag "br/" at byte offset 2'),
        ("<b><i>test</b></i>", 'Unmatched end tag at byte offset 10, expected "</i>", found "</b>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<a href>x</a>", 'Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0'),
        ('<a href="x>y</a>', "Unclosed start tag at byte offset 0"),
        ("<a =x>y</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=ä>y</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ('<tg-emoji emoji-id="99999999999999999999">x</tg-emoji>', "Invalid custom emoji identifier specified"),
    ],
)
def test_html_refusals(markup, words):
    """Broken HTML is refused in the server's words, with byte offsets."""
    assert refusal(markup, "HTML") == words


@pytest.mark.parametrize(
    ("markup", "text", "entities"),
    [
        ("*bold* _it_ __un__ ~st~ ||sp||", "bold it un st sp", None),
        ("*a _b __c___ d*", "a b c d", [("bold", 0, 7), ("italic", 2, 3), ("underline", 4, 1)]),
        ("`a*b` ```py\nx = 1\n```", "a*b x = 1", [("code", 0, 3), ("pre", 4, 5)]),
        ("[x](http://ya.ru/a\\)b)", "x", [("text_link", 0, 1)]),
        ("[x](tg://user?id=7)", "x", [("text_mention", 0, 1)]),
        ("![👍](tg://emoji?id=5368324170671202286)", "👍", [("custom_emoji", 0, 2)]),
        (">one\n>two\nthree", "one\ntwo\nthree", [("blockquote", 0, 8)]),
        (">one\n>two||", "one\ntwo", [("expandable_blockquote", 0, 7)]),
        ("hello\\. \\-1 \\\\", "hello. -1 \\", []),
        ("🎉 *x*", "🎉 x", [("bold", 3, 1)]),
    ],
)
def test_markdown_v2(markup, text, entities):
    """MarkdownV2 becomes text and entities, including nested ones."""
    found, kept = shape(markup, "MarkdownV2")
    assert found == text
    if entities is None:
        assert [kind for kind, _, _ in kept] == ["bold", "italic", "underline", "strikethrough", "spoiler"]
    else:
        assert kept == entities


@pytest.mark.parametrize("char", list(">#+-=|{}.!()]"))
def test_markdown_v2_reserved_characters(char):
    """Each reserved character must be escaped."""
    assert refusal(f"a{char}b", "MarkdownV2") == (
        f"Character '{char}' is reserved and must be escaped with the preceding '\\'"
    )
    assert shape(f"a\\{char}b", "MarkdownV2")[0] == f"a{char}b"


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("*unclosed", "Can't find end of Bold entity at byte offset 0"),
        ("🏟 🏟_abacaba", "Can't find end of Italic entity at byte offset 9"),
        ("🏟 🏟_abac * asd ", "Can't find end of Bold entity at byte offset 15"),
        ("a `b", "Can't find end of Code entity at byte offset 2"),
        ("```py\nx", "Can't find end of PreCode entity at byte offset 0"),
        ("[x](http://ya.ru", "Can't find end of a URL at byte offset 4"),
        ("![x]", "Custom emoji entity must contain a tg://emoji URL"),
        (">*quote\nnext", "Can't find end of Bold entity at byte offset 1"),
    ],
)
def test_markdown_v2_refusals(markup, words):
    """Unclosed MarkdownV2 is refused in the server's words, with byte offsets."""
    assert refusal(markup, "MarkdownV2") == words


def test_legacy_markdown():
    """The legacy mode still parses, and errors name the byte offset of an unclosed mark."""
    assert shape("*b* _i_ `c` [x](http://ya.ru) a\\_b", "Markdown") == (
        "b i c x a_b",
        [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1), ("text_link", 6, 1)],
    )
    assert refusal("snake_case", "Markdown") == "Can't find end of the entity starting at byte offset 5"


@pytest.mark.parametrize(
    ("entities", "kept"),
    [
        ([{"type": "bold", "offset": 0, "length": 5}], [("bold", 0, 5)]),
        ([{"type": "bold", "offset": 0, "length": 6}], [("bold", 0, 6)]),
        ([{"type": "bold", "offset": 5, "length": 2}], [("bold", 6, 1)]),
        ([{"type": "bold", "offset": 5, "length": 1}], []),
        ([{"type": "bold", "offset": 2, "length": 0}], []),
        (
            [{"type": "bold", "offset": 0, "length": 4}, {"type": "italic", "offset": 2, "length": 4}],
            [("bold", 0, 2), ("bold", 2, 2), ("italic", 2, 2), ("italic", 4, 2)],
        ),
        (
            [{"type": "code", "offset": 0, "length": 4}, {"type": "bold", "offset": 2, "length": 4}],
            [("code", 0, 4), ("bold", 4, 2)],
        ),
        ([{"type": "code", "offset": 0, "length": 4}, {"type": "pre", "offset": 2, "length": 4}], [("code", 0, 4)]),
        ([{"type": "mention", "offset": 0, "length": 4}], []),
    ],
)
def test_entities_given(entities, kept):
    """Entities are sorted, split where they cross, trimmed of white space, and dropped when empty."""
    assert shape("hello world", entities=entities) == ("hello world", kept)


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        (
            {"type": "bold", "offset": 100, "length": 1},
            "entity begins after the end of the text at UTF-16 offset 100",
        ),
        (
            {"type": "bold", "offset": 0, "length": 100},
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 100",
        ),
        ({"type": "bold", "offset": -1, "length": 1}, "receive an entity with incorrect offset -1"),
        ({"type": "odd", "offset": 0, "length": 1}, "can't parse MessageEntity: Unsupported type specified"),
        ({"type": "bold", "offset": 0}, "can't parse MessageEntity: Can't find field \"length\""),
        ({"type": "text_link", "offset": 0, "length": 1}, "can't parse MessageEntity: Can't find field \"url\""),
        (
            {"type": "text_link", "offset": 0, "length": 1, "url": "not-a-url"},
            "entity URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        (
            {"type": "text_link", "offset": 0, "length": 1, "url": ""},
            "entity URL '' is invalid: URL host is empty",
        ),
        (
            {"type": "custom_emoji", "offset": 0, "length": 1, "custom_emoji_id": "9999999999999999999"},
            'can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number',
        ),
        ({"type": "text_mention", "offset": 0, "length": 1, "user": {"id": 0}}, "user not found"),
        ({"type": "bold", "offset": 1, "length": 1}, "entity begins in a middle of a UTF-16 symbol at UTF-16 offset 1"),
    ],
)
def test_entities_refused(entity, words):
    """Entities outside the text, inside a surrogate pair, or incomplete are refused, not clipped."""
    assert refusal("🎉hello", entities=[entity]) == words


def test_white_space_is_trimmed_as_telegram_does():
    """Text and entities are trimmed; carriage returns are removed; tabs become spaces; white space alone is empty."""
    assert shape("  hi  ") == ("hi", [])
    assert shape("\n <b> hi </b>\n", "HTML") == ("hi", [("bold", 0, 2)])
    assert shape("a\r\nb\tc") == ("a\nb c", [])
    assert shape("a\r\n<b>b</b>", "HTML") == ("a\nb", [("bold", 2, 1)])
    assert shape(" \n ") == ("", [])


def test_detected_entities():
    """Commands, mentions, addresses, links and tags are detected, but not inside code."""
    text = "/start@some_bot hi @ann_b a@b.com https://ya.ru/x?y=1, #tag $USD 🎉 /help"
    assert [(one["type"], one["offset"], one["length"]) for one in detect(text)] == [
        ("bot_command", 0, 15),
        ("mention", 19, 6),
        ("email", 26, 7),
        ("url", 34, 19),
        ("hashtag", 55, 4),
        ("cashtag", 60, 4),
        ("bot_command", 68, 5),
    ]
    assert shape("<code>/start @ann_b</code>", "HTML")[1] == [("code", 0, 13)]
    assert detect("path/to/file and 1/2") == []


async def test_lengths(raw, ann):
    """4,096 code points of text and 1,024 of caption are the limits; markup does not count."""
    assert len((await raw.ok("sendMessage", chat_id=ann.id, text="🎉" * 4096))["text"]) == 4096
    await raw.ok("sendMessage", chat_id=ann.id, text=f"<b>{'x' * 4096}</b>", parse_mode="html")
    assert await raw.refused("sendMessage", chat_id=ann.id, text="x" * 4097) == "Bad Request: message is too long"
    photo = ann.send_photo()["photo"][-1]["file_id"]
    await raw.ok("sendPhoto", chat_id=ann.id, photo=photo, caption="x" * 1024)
    refused = await raw.refused("sendPhoto", chat_id=ann.id, photo=photo, caption="x" * 1025)
    assert refused == "Bad Request: message caption is too long"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "message text is empty"),
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "text must be non-empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "text must be non-empty"),
        ({"text": "x", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ({"text": "hello.", "parse_mode": "MarkdownV2"}, None),
    ],
)
async def test_empty_and_broken_text(raw, ann, params, words):
    """Empty and malformed texts are refused."""
    reserved = "can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"
    assert await raw.refused("sendMessage", chat_id=ann.id, **params) == f"Bad Request: {words or reserved}"


async def test_unpaired_surrogates(raw, ann):
    """Half a surrogate pair is refused wherever it occurs; a whole pair is a character."""
    words = "Bad Request: strings must be encoded in UTF-8"
    url = {"headers": {"Content-Type": "application/json"}}
    half = json.dumps({"chat_id": ann.id, "text": "broken \ud83d"})
    status, body = await raw.post("sendMessage", half, **url)
    assert (status, body["description"]) == (400, words)
    whole = f'{{"chat_id": {ann.id}, "text": "\\ud83d\\ude00"}}'
    status, body = await raw.post("sendMessage", whole, **url)
    assert body["result"]["text"] == "😀"
    status, body = await raw.post("sendMessage", b"chat_id=%d&text=%%ff" % ann.id, headers=FORM)
    assert (status, body["description"]) == (400, words)
    markup = '{"inline_keyboard": [[{"text": "\\ud83d", "callback_data": "x"}]]}'
    status, body = await raw.post("sendMessage", {"chat_id": str(ann.id), "text": "x", "reply_markup": markup})
    assert (status, body["description"]) == (400, words)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_every_kind_of_request_is_read(tg, raw, ann):
    """Query, form, multipart and JSON all work, and the method's case does not matter."""
    url = f"{tg.root}/bot{tg.token}/sendmessage?chat_id={ann.id}&text=by%20query"
    async with raw.session.get(url) as response:
        assert (await response.json())["result"]["text"] == "by query"
    _, body = await raw.post("SENDMESSAGE", {"chat_id": str(ann.id), "text": "by form ä"})
    assert body["result"]["text"] == "by form ä"
    with_entities = {"chat_id": str(ann.id), "text": "x", "entities": '[{"type":"bold","offset":0,"length":1}]'}
    _, body = await raw.post("sendMessage", with_entities)
    assert body["result"]["entities"] == [{"type": "bold", "offset": 0, "length": 1}]
    import aiohttp

    form = aiohttp.FormData({"chat_id": str(ann.id), "text": "by multipart ä"}, default_to_multipart=True)
    _, body = await raw.post("sendMessage", form)
    assert body["result"]["text"] == "by multipart ä"
    assert (await raw.ok("sendMessage", chat_id=str(ann.id), text="by json ä"))["text"] == "by json ä"
    status, body = await raw.post("sendMessage", "[1]", headers={"Content-Type": "application/json"})
    assert status == 400
