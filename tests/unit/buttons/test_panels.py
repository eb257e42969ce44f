"""Button grids: checked before they are sent, laid out without loss, and unforgeable on the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.buttons.layout import callback, check_grid, lay_out, parse_callback
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.errors import Refused
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from planted_secrets import KINDS, Planted

LIMITS = Limits(text=4096, unit="utf16", buttons=100, row=8, rows=100, label=None, upload=1, photo=1, download=1)
PANEL_ID = "AbCdEfGhIjKlMnOpQrStUv"


def grid(*rows: list[str]) -> Grid:
    return tuple(tuple(Button(text) for text in row) for row in rows)


# ---- what a button carries


@given(st.text(st.sampled_from("abcXYZ019_-"), min_size=22, max_size=22), st.integers(0, 999))
def test_callback_data_comes_back_as_it_was_made(panel_id: str, position: int) -> None:
    """Made and parsed in one place: 26 bytes at most, and the same panel and position."""
    data = callback(panel_id, position)
    assert parse_callback(data) == (panel_id, position)
    assert len(data.encode()) <= 26


@given(st.one_of(st.text(max_size=40), st.text(st.sampled_from("aB0.-_٣²"), max_size=30)))
def test_what_is_not_ours_is_not_parsed(data: str) -> None:
    """Data parses only when it is exactly what we would have written."""
    parsed = parse_callback(data)
    assert parsed is None or callback(*parsed) == data


@pytest.mark.parametrize(
    "data",
    ["", ".", "perm:allow:abcde", PANEL_ID, f"{PANEL_ID}.", f"{PANEL_ID}.01", f"{PANEL_ID}.1000", f"{PANEL_ID}.-1",
     f"{PANEL_ID}.٣", f"{PANEL_ID}.1 ", f"{PANEL_ID[:-1]}.1", f"x{PANEL_ID}.1", "💥" * 16],
)  # fmt: skip
def test_foreign_data_is_refused(data: str) -> None:
    """Another program's buttons, and near misses of ours, are not ours."""
    assert parse_callback(data) is None


def test_ids_are_new_each_time_and_cannot_be_guessed(store: Store) -> None:
    """22 characters of randomness, none like the other."""
    panels = Panels(store)
    ids = {panels.create("7", grid(["Yes"]), ttl_s=60) for _ in range(50)}
    assert len(ids) == 50
    assert all(parse_callback(callback(panel_id, 0)) == (panel_id, 0) for panel_id in ids)


# ---- the grid


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((), "is empty"),
        (((),), "is empty"),
        (grid(*[["b"] * 10] * 10, ["one more"]), "101 buttons; one message takes at most 100"),
        (grid(["fine", ""]), "row 0, column 1 has an empty label"),
        (grid(["fine"], [" \n\t "]), "row 1, column 0 has an empty label"),
        (grid(["\u202e\u2066\ufeff\x00"]), "row 0, column 0 has an empty label"),
        (grid(["x" * 4097]), "longer than 4096"),
        (((Button("a", value="v", url="https://e.org"),),), "both url and value"),
        (((Button("a", url="javascript:alert(1)"),),), r"url of the button at row 0, column 0 is 'javascript:"),
        (((Button("a", url="e.org"),),), "must begin with https://"),
    ],
)
def test_a_grid_that_cannot_be_shown_is_refused_with_the_reason(wrong: Grid, says: str) -> None:
    """The whole grid is checked, and the refusal names the limit or the button."""
    with pytest.raises(Refused, match=says):
        check_grid(wrong, LIMITS)


@pytest.mark.parametrize(
    "fine",
    [
        grid(["Yes", "No"], ["Cancel"]),
        grid(*[["b"] * 10] * 10),
        grid(["字" * 200]),
        grid(["👩‍👩‍👧‍👦" * 50]),
        grid(["x" * 4096]),
        grid(["OK", "OK"], ["OK"]),
        ((Button("Docs", url="https://e.org"), Button("Chat", url="https://e.org/chat")),),
    ],
)
def test_a_grid_that_can_be_shown_passes(fine: Grid) -> None:
    """Up to a hundred buttons, of any length and script, equal ones too."""
    check_grid(fine, LIMITS)
    keyboard = lay_out(PANEL_ID, fine, LIMITS)
    assert all(key.data is None or len(key.data.encode()) <= 64 for row in keyboard for key in row)


@given(st.lists(st.lists(st.integers(0, 9), max_size=20), min_size=1, max_size=12))
def test_rows_too_wide_are_broken_and_nothing_else_changes(rows: list[list[int]]) -> None:
    """No row is wider than eight; the order stays, and each button keeps the position it has in the grid."""
    made = grid(*[[f"b{n}" for n in row] for row in rows])
    keyboard = lay_out(PANEL_ID, made, LIMITS)
    keys = [key for row in keyboard for key in row]
    assert all(1 <= len(row) <= 8 for row in keyboard)
    assert [key.label for key in keys] == [button.label for row in made for button in row]
    assert [key.data for key in keys] == [callback(PANEL_ID, n) for n in range(len(keys))]


def test_a_row_of_nine_becomes_eight_and_one() -> None:
    """Rows are filled from the left, and the next row starts anew."""
    keyboard = lay_out(PANEL_ID, grid([str(n) for n in range(9)], ["last"]), LIMITS)
    assert [len(row) for row in keyboard] == [8, 1, 1]


def test_a_url_button_carries_no_data_but_has_a_position() -> None:
    """A link only opens a page and sends nothing back; the buttons after it count it."""
    made = ((Button("Docs", url="https://e.org"), Button("Yes", style="success")),)
    ((docs, yes),) = lay_out(PANEL_ID, made, LIMITS)
    assert (docs.data, docs.url) == (None, "https://e.org")
    assert (yes.data, yes.style) == (callback(PANEL_ID, 1), "success")


def test_labels_are_shown_without_what_reorders_them() -> None:
    """What is drawn on a button cannot turn its neighbours around."""
    ((key),) = lay_out(PANEL_ID, grid([" \u202eevil\u202c\x00 "]), LIMITS)[0]
    assert key.label == "evil"


@given(
    st.lists(
        st.builds(
            Button,
            st.text(min_size=1, max_size=20),
            st.none() | st.text(max_size=20),
            st.sampled_from([None, "primary", "danger"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_grid_is_stored_whole(tmp_path_factory: pytest.TempPathFactory, row: list[Button]) -> None:
    """Labels, values and styles of any script come back from the store as they were given."""
    with Store.open(tmp_path_factory.mktemp("grid")) as store:
        panels = Panels(store)
        panel = panels.get(panels.create("7", (tuple(row),), ttl_s=60))
        assert panel is not None
        assert panel.grid == (tuple(row),)


@pytest.mark.parametrize(
    "labels",
    [
        ["x" * 100 + "one", "x" * 100 + "two"],
        ["OK", "OK", "OK"],
        ["字" * 200, "字" * 200 + "!"],
    ],
)
def test_labels_that_look_alike_are_kept_apart(
    store: Store, labels: list[str], tap: Callable[..., tuple[str | None, str | None]]
) -> None:
    """Sharing a hundred first characters, or equal altogether: the button that was tapped is the one reported."""
    panels = Panels(store)
    made = (tuple(Button(text, value=f"v{n}") for n, text in enumerate(labels)),)
    for position in range(len(labels)):
        panel_id = panels.create("7", made, ttl_s=60)
        panels.bind(panel_id, "100", None)
        key = lay_out(panel_id, made, LIMITS)[0][position]
        assert tap(panels, key.data) == (labels[position], f"v{position}")


@pytest.fixture
def tap() -> Callable[..., tuple[str | None, str | None]]:
    from agent_channels.core.contract.messages import Person

    def press(panels: Panels, data: str) -> tuple[str | None, str | None]:
        button = panels.press(data, "7", "100", Person("7", "Ann")).button
        return (button.label, button.value) if button else (None, None)

    return press


def test_a_platform_with_narrower_limits_is_obeyed() -> None:
    """Limits are data: another platform's are used the same way."""
    narrow = replace(LIMITS, buttons=25, row=5)
    check_grid(grid(*[["b"] * 5] * 5), narrow)
    with pytest.raises(Refused, match="26 buttons; one message takes at most 25"):
        check_grid(grid(*[["b"] * 5] * 5, ["b"]), narrow)
    assert [len(row) for row in lay_out(PANEL_ID, grid(["b"] * 6), narrow)] == [5, 1]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/a?b=c#d",
        "HTTPS://EXAMPLE.com/%20x",
        "https://münchen.de/ä",
        "https://例え.jp/",
        "https://10.0.0.2/x",
        "https://x.com/@name",
    ],
)
def test_a_plain_url_may_be_a_button(url: str) -> None:
    """Http and https addresses of a plain host are accepted."""
    check_grid(((Button("Open", url=url),),), LIMITS)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tg://user?id=1", "begin with https://"),
        ("javascript:alert(1)", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("//example.com", "begin with https://"),
        (" https://example.com", "begin with https://"),
        ("http://a@b", "before @"),
        ("https://google.com:pw@evil.com/", "before @"),
        ("https://google.com%40evil.com/", "plain host"),
        ("https://example.com\n/x", "line break"),
        ("https://example.com/\r\nx", "line break"),
        ("https://example.com/a b", "a space"),
        ("https://google.com\\@evil.com", "a space"),
        ("https://exam\u200bple.com", "a space"),
        ("https://example.com/\u202egpj", "a space"),
        ("https://", "plain host"),
        ("https:///x", "plain host"),
        ("https://?x", "plain host"),
        ("https://a..b", "plain host"),
        ("https://.com", "plain host"),
        ("https://[::1", "host or port"),
        ("https://x:99999/", "host or port"),
        ("https://x:y/", "host or port"),
    ],
)
def test_a_url_that_may_lead_elsewhere_is_refused_by_name(url: str, reason: str) -> None:
    """The error names the button, the address and what is wrong with it."""
    with pytest.raises(Refused, match="row 0, column 1") as refused:
        check_grid(((Button("Ok"), Button("Open", url=url)),), LIMITS)
    assert reason in str(refused.value)


def test_a_message_with_a_secret_is_kept_only_until_it_shows_its_end(store: Store) -> None:
    """Where an approver let one through; that of a question until its asker has the answer."""
    services = Services.of(store)
    snapshot = json.dumps({"text": f"the key is {KINDS['github'](Planted(1))}"})
    plain = json.dumps({"text": "no key"})

    def shown(said: str, prompt_id: str | None = None) -> str:
        panel_id = services.panels.create("7", grid(["Yes"]), ttl_s=60, prompt_id=prompt_id)
        services.panels.bind(panel_id, f"m{panel_id}", said)
        return panel_id

    def kept(panel_id: str) -> str | None:
        panel = services.panels.get(panel_id)
        assert panel is not None
        return panel.snapshot

    def show_all() -> None:
        for panel in services.panels.outcomes_due():
            services.panels.outcome_shown(panel)

    first, harmless = shown(snapshot), shown(plain)
    assert kept(first) == snapshot
    services.panels.cancel_all("over")
    show_all()
    assert (kept(first), kept(harmless)) == (None, plain)
    spec = PromptSpec(grid=grid(["Yes"]))
    prompt = services.prompts.create("ask", spec, session="s", timeout_s=60, lease_s=60)
    asked = shown(snapshot, prompt.id)
    panel = services.panels.get(asked)
    assert panel is not None
    services.prompts.press(panel, 0, Person("7", "ann"))
    show_all()
    assert kept(asked) == snapshot
    services.prompts.confirm([prompt.id])
    assert kept(asked) is None
