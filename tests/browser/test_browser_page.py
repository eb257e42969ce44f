"""The chat page itself: light and dark, narrow screens, keyboard only, no markup from chats, weight."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = [pytest.mark.long, pytest.mark.cold, pytest.mark.asyncio(loop_scope="session")]

WEIGHT_MAX = 120_000


async def fill_chat(screen: Screen) -> None:
    """Fill a chat with several kinds of messages."""
    await screen.say("long answer")
    await screen.sees("The rest is in")
    await screen.say("hello")
    await screen.sees("scripted agent")
    await screen.say("deploy")
    await screen.sees("Every test passes.")
    await screen.answered("deploy")


@pytest.mark.parametrize("platform", ["telegram", "discord"])
async def test_light_and_dark_are_readable(show, platform: str) -> None:  # type: ignore[no-untyped-def]
    """Both colour schemes follow the system, and every visible text has the contrast that WCAG requires."""
    grounds = []
    for scheme in ("light", "dark"):
        screen: Screen = await show(f"{platform}/ann", scheme=scheme)
        if scheme == "light":
            await fill_chat(screen)
        await screen.sees("Every test passes.")
        ratios = await screen.tab.evaluate(CONTRAST)
        assert len(ratios) > 40
        assert [one for one in ratios if one[0] < CONTRAST_MIN] == []
        grounds.append(await screen.tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


@pytest.mark.parametrize("platform", ["telegram", "discord"])
async def test_a_narrow_screen_never_scrolls_sideways(show, platform: str) -> None:  # type: ignore[no-untyped-def]
    """At 360 pixels chats, chat and life are three views, and nothing is wider than the screen."""
    screen: Screen = await show(f"{platform}/ann", width=360, height=740)
    await fill_chat(screen)
    for view, place in (("Chats", "#chats"), ("Life", "#life"), ("Chat", "#phone")):
        await screen.tab.get_by_role("group", name="Show").get_by_role("button", name=view, exact=True).click()
        await expect(screen.tab.locator(place)).to_be_visible()
        assert await screen.tab.evaluate("document.documentElement.scrollWidth") == 360
        assert await screen.tab.evaluate(WIDE) == []
    small = """() => [...document.querySelectorAll("#phone button, #phone select, .views button")]
      .filter((one) => one.checkVisibility({opacityProperty: true}) && one.getBoundingClientRect().height < 24)"""
    assert await screen.tab.evaluate(f"({small})().length") == 0


async def test_the_keyboard_is_enough(show) -> None:  # type: ignore[no-untyped-def]
    """Keyboard only: skip to the message box, send, go back to the buttons, tap and keep the focus, change chats."""
    screen: Screen = await show()
    keyboard = screen.tab.keyboard
    await keyboard.press("Tab")
    assert await focused_text(screen) == "Skip to the message box"
    await keyboard.press("Enter")
    assert await screen.tab.evaluate("document.activeElement.id") == "say"
    await keyboard.type("deploy")
    await keyboard.press("Enter")
    await screen.sees("Every test passes.")
    await back_to(screen, "Reject")
    await keyboard.press("Enter")
    await screen.sees("Then 4.1 stays.")
    await expect(await screen.sees("Every test passes.")).to_contain_text("Reject · ann")
    assert await screen.tab.evaluate("document.activeElement.closest('.message').innerText.includes('Every test')")
    await back_to(screen, "Ben")
    await keyboard.press("ArrowUp")
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    await expect(screen.tab.locator("#about")).to_contain_text("seen by Ben")
    assert await screen.tab.evaluate("document.activeElement.id") == "say"


async def back_to(screen: Screen, name: str) -> None:
    """Press Shift+Tab until an element with this name has the focus, which must be visible."""
    for _ in range(60):
        await screen.tab.keyboard.press("Shift+Tab")
        if name in (await focused_text(screen)).split():
            shown = "getComputedStyle(document.activeElement).outlineStyle"
            assert await screen.tab.evaluate(shown) != "none"
            return
    pytest.fail(f"the keyboard does not reach {name!r}")


async def focused_text(screen: Screen) -> str:
    """Return the text of the focused_text element."""
    return str(await screen.tab.evaluate("document.activeElement.innerText || ''")).strip()


async def test_a_screen_reader_can_use_the_page(show) -> None:  # type: ignore[no-untyped-def]
    """Every control has a name, the log is live, and each part has one heading."""
    screen: Screen = await show()
    await fill_chat(screen)
    nameless = """() => [...document.querySelectorAll("button, a, select, textarea, input, [role=button], img")].filter(
      (one) => !(one.innerText?.trim() || one.getAttribute("aria-label") || one.labels?.[0]?.innerText.trim()
        || one.getAttribute("alt") !== null)).map((one) => one.outerHTML)"""
    assert await screen.tab.evaluate(nameless) == []
    await expect(screen.tab.get_by_role("log", name="Messages")).to_have_count(1)
    for name in ("Agent Channels", "Your agent", "Life of each message"):
        await expect(screen.tab.get_by_role("heading", name=name)).to_have_count(1)
    await expect(screen.tab.locator("#log")).not_to_have_attribute("aria-live", "off")


async def test_nothing_from_a_chat_becomes_markup(show) -> None:  # type: ignore[no-untyped-def]
    """Text that looks like HTML or a script's address stays text, in messages, buttons and lifecycles."""
    hostile = '<img src=x onerror="document.title=1"><b>x</b> [go](javascript:alert(1)) `<i>`'
    for platform in ("telegram", "discord"):
        screen: Screen = await show(f"{platform}/ann")
        await screen.say(hostile)
        await screen.sees("You said: <img src=x")
        await screen.answered("<img src=x")
        assert await screen.tab.evaluate("document.querySelectorAll('main img, .text b, .text i, .what i').length") == 0
        links = await screen.tab.locator("main a").evaluate_all("all => all.map(one => one.href)")
        assert not [one for one in links if not one.startswith("http")]
        assert await screen.tab.title() == "Agent Channels sandbox"


MENTION = '<span class="mention">{}</span>'
SPOILER = '<span class="spoiler" role="button" tabindex="0" aria-label="Spoiler, show it">{}</span>'


def heading(size: int, text: str) -> str:
    return f'<strong class="heading h{size}">{text}</strong>'


def code(text: str, language: str = "") -> str:
    named = f'aria-label="Code in {language}" data-language="{language}"' if language else 'aria-label="Code"'
    return f'<pre tabindex="0" {named}><code>{text}</code></pre>'


def a(href: str, text: str = "") -> str:
    return f'<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">{text or href}</a>'


MARKDOWN = [
    ("**bold** *it* __under__ ~~gone~~", "<strong>bold</strong> <em>it</em> <u>under</u> <s>gone</s>"),
    ("# One\n## Two", '<strong class="heading h1">One</strong><strong class="heading h2">Two</strong>'),
    ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
    ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("> a\n> **b**\nc", "<blockquote>a\n<strong>b</strong></blockquote>c"),
    ("a `**b**` c", "a <code>**b**</code> c"),
    (r"\*\*no\*\* \`no\`", "**no** `no`"),
    (r"\_\_init\_\_.py", "__init__.py"),
    (r"\\ \~\~a\~\~ \|\|b\|\| \<@7> \[a](b) \- \. \😀", r"\ ~~a~~ ||b|| &lt;@7&gt; [a](b) - . 😀"),
    ("\\# a\n\\- b\n1\\. c\n\\> d", "# a\n- b\n1. c\n&gt; d"),
    (r"**a\*\*b** *a\*b* __a\__b__ _a\_b_", "<strong>a**b</strong> <em>a*b</em> <u>a__b</u> <em>a_b</em>"),
    (
        r"~~a\~~b~~ [a\]b](https://c.d/)",
        '<s>a~~b</s> <a href="https://c.d/" target="_blank" rel="noopener noreferrer nofollow">a]b</a>',
    ),
    (r"`\_` a\b C:\dir", r"<code>\_</code> a\b C:\dir"),
    ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
    ("```\n# raw **x**\n```", '<pre tabindex="0" aria-label="Code"><code># raw **x**</code></pre>'),
    ("<@7> <#1>", '<span class="mention">@Ann</span> <span class="mention">#unknown</span>'),
    ("<@&7> </run:7> @here <:x:7>", " ".join(map(MENTION.format, ("@Ann", "/run", "@here"))) + " :x:"),
    ("# One #\n#Two\n  ## Three\n#### Four", f"{heading(1, 'One')}#Two\n{heading(2, 'Three')}#### Four"),
    ("-# small\na -# b", "<small>small</small>a -# b"),
    ("a\n>>> b\n> c\n\nd", "a\n<blockquote>b\n&gt; c\n\nd</blockquote>"),
    (">no\na > b", "&gt;no\na &gt; b"),
    ("> ```py\n> x = 1\n> ```\nafter", f"<blockquote>{code('x = 1', 'py')}</blockquote>after"),
    ("say ```a b``` and", f"say {code('a b')} and"),
    ("- a\n  more\n\n- b\nc", "<ul><li>a\nmore\n</li><li>b</li></ul>c"),
    ("1. a\n- b", '<ol start="1"><li>a</li></ol><ul><li>b</li></ul>'),
    ("+ a\n-b\n1.c", "+ a\n-b\n1.c"),
    (
        "***a*** **b*c*d** _e_ f_g_ h",
        "<em><strong>a</strong></em> <strong>b<em>c</em>d</strong> <em>e</em> f<em>g</em> h",
    ),
    ("||a **b**||", SPOILER.format("a <strong>b</strong>")),
    ("`` a`b `` `c", "<code>a`b</code> `c"),
    ("https://a.b/c_d_e). (https://a.b/(x))", f"{a('https://a.b/c_d_e')}). ({a('https://a.b/(x)')})"),
    ("[a](https://b.c/) <https://b.c/>", f"{a('https://b.c/', 'a')} {a('https://b.c/')}"),
    ('[a *b*](<https://b.c/> "title")', a("https://b.c/", "a <em>b</em>")),
    ("README.md example.com ftp://a.b", "README.md example.com ftp://a.b"),
    ("[https://a.b/](https://c.d/)", f"[{a('https://a.b/')}]({a('https://c.d/')})"),
    ("<t:0:x> <t:99999999999999> \\<t:0>", "&lt;t:0:x&gt; &lt;t:99999999999999&gt; &lt;t:0&gt;"),
    (r"¯\_(ツ)_/¯ 🚀**x**", r"¯\_(ツ)_/¯ 🚀<strong>x</strong>"),
    ("**a\nb**\n__c", "<strong>a\nb</strong>\n__c"),
    ("a\nb\n\nc", "a\nb\n\nc"),
    ("[x](javascript:1)", "[x](javascript:1)"),
    ("<b>", "&lt;b&gt;"),
]
ENTITIES = [
    ("🚀 bold", [["bold", 3, 4]], "🚀 <strong>bold</strong>"),
    ("a b c", [["bold", 0, 5], ["italic", 2, 1]], "<strong>a <em>b</em> c</strong>"),
    ("ab", [["italic", 0, 2], ["bold", 0, 2]], "<em><strong>ab</strong></em>"),
    ("q\nx", [["blockquote", 0, 1]], "<blockquote>q</blockquote>x"),
    ("<i>", [["underline", 0, 3]], "<u>&lt;i&gt;</u>"),
    ("x", [["text_link", 0, 1]], "<span>x</span>"),
]


async def test_formatting_is_drawn_as_the_platforms_draw_it(show) -> None:  # type: ignore[no-untyped-def]
    """Discord's Markdown and Telegram's entities: each construct once, including the tricky ones."""
    screen: Screen = await show()
    draw = """async ([module, name, ...given]) => {
      const place = document.createElement("div");
      place.append((await import(module))[name](...given));
      return place.innerHTML;
    }"""
    for text, expected in MARKDOWN:
        assert (
            await screen.tab.evaluate(draw, [f"{screen.page.url}markdown.js", "markdown", text, {"7": "Ann"}])
            == expected
        )
    for text, listed, expected in ENTITIES:
        spans = [{"type": kind, "offset": at, "length": length} for kind, at, length in listed]
        assert await screen.tab.evaluate(draw, [f"{screen.page.url}format.js", "entities", text, spans]) == expected


async def test_the_page_is_light(show, note: Callable[[str, str], None]) -> None:  # type: ignore[no-untyped-def]
    """Everything the page loads comes from its own server and weighs less than 120 kB; the first paint is printed."""
    screen: Screen = await show()
    await screen.tab.goto("about:blank")
    sizes: dict[str, int] = {}

    async def weigh(response) -> None:  # type: ignore[no-untyped-def]
        # The stream of events never ends, and neither would reading it.
        if "/events" not in response.url:
            sizes[response.url] = len(await response.body())

    screen.tab.on("response", weigh)
    await screen.open("telegram/ann")
    paint = await screen.tab.evaluate(
        "() => new Promise((done) => new PerformanceObserver((list) => done(list.getEntriesByName("
        "'first-contentful-paint')[0]?.startTime)).observe({type: 'paint', buffered: true}))"
    )
    assert all(url.startswith(screen.page.url) for url in sizes)
    assert len(sizes) >= 10
    assert sum(sizes.values()) < WEIGHT_MAX
    note("chat page", f"weight {sum(sizes.values()):,} bytes in {len(sizes)} files (limit {WEIGHT_MAX:,})")
    note("chat page", f"first contentful paint {paint:.0f} ms (wanted: under 1,000)")
