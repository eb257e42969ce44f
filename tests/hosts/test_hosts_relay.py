"""Permission requests that the host relays to its channel: the approvers' verdict, bound to the request, used once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import inbox_states
from harness import Stage
from hook_runs import bound
from wire_host import Host

REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
ID = "abcde"


async def approver(stage: Stage, handle: str = "ann") -> TelegramPerson:
    """Somebody paired who may answer permission prompts."""
    person = stage.person(handle)
    assert (await stage.access("approver", "add", str(person.id))).code == 0
    return person


async def channel(stage: Stage) -> Host:
    """A host whose server reads the bot."""
    return await stage.reading(CHANNELS_CLAIM="always")


def relay(host: Host, request_id: str = ID, **changes: Any) -> None:
    """The host asks its channels for a permission."""
    params = {
        "request_id": request_id,
        "tool_name": "Bash",
        "description": "Deletes the build folder",
        "input_preview": json.dumps({"command": "rm -rf build", "timeout": 5}),
    }
    host.notify(REQUEST, {**params, **changes})


def verdicts(host: Host) -> list[dict[str, Any]]:
    """Every verdict the server sent."""
    messages = [json.loads(line) for line in host.lines]
    return [message["params"] for message in messages if message.get("method") == VERDICT]


async def verdict(host: Host, number: int = 1) -> dict[str, Any]:
    """The verdict with this number, counted from 1."""
    await host.until(lambda: len(verdicts(host)) >= number, what="a verdict")
    return verdicts(host)[number - 1]


def buttons(person: TelegramPerson, message: dict[str, Any]) -> list[str]:
    found = next(m for m in person.messages() if m["message_id"] == message["message_id"])
    rows = found.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row if "disabled" not in button]


async def ends(stage: Stage, person: TelegramPerson, card: dict[str, Any], text: str, timeout: float = 8) -> None:
    """Waits until no button of the card does anything and it says so."""

    def ended() -> bool:
        found = next(m for m in person.messages() if m["message_id"] == card["message_id"])
        return not buttons(person, card) and text in found["text"]

    await stage.tg.wait_for(ended, timeout)


async def settled(host: Host, person: TelegramPerson) -> None:
    """Everything sent so far has gone through: a further message arrives after it."""
    person.send("are you there?")
    assert (await host.event()).content == "are you there?"


@pytest.mark.parametrize(("label", "behavior"), [("Allow", "allow"), ("Deny", "deny")])
async def test_a_tap_is_the_verdict(stage: Stage, label: str, behavior: str) -> None:
    """Each approver has the card with the command; a tap is the verdict for that id, and all copies are cleaned."""
    ann, bob = await approver(stage), await approver(stage, "bob")
    host = await channel(stage)
    relay(host)
    card, copy = await asyncio.gather(ann.next_message(), bob.next_message())
    head, description, command, *_ = card["text"].split("\n\n")
    assert "Bash" in head
    assert (description, command) == ("Deletes the build folder", "rm -rf build")
    for words in ("timeout: 5", ID, stage.project.name):
        assert words in card["text"]
    assert copy["text"] == card["text"]
    assert buttons(ann, card) == ["Allow", "Deny"]
    # The session goes on talking meanwhile.
    assert (await host.status())["problem"] is None
    ann.tap(card["message_id"], label=label)
    assert await verdict(host) == {"request_id": ID, "behavior": behavior}
    await ends(stage, ann, card, f"{label} · ann – passed on")
    await ends(stage, bob, copy, f"{label} · ann – passed on")
    assert host.events == []
    assert set(inbox_states(stage.state)) <= {"answered", "dropped"}


@pytest.mark.parametrize(
    ("typed", "behavior"), [("yes abcde", "allow"), ("NO ABCDE", "deny"), (" y  abcde ", "allow"), ("n abcde", "deny")]
)
async def test_a_typed_verdict(stage: Stage, typed: str, behavior: str) -> None:
    """`yes abcde` and `no abcde`, as the reference channels take them; it is not a message for the agent."""
    ann = await approver(stage)
    host = await channel(stage)
    relay(host)
    card = await ann.next_message()
    ann.send(typed)
    assert await verdict(host) == {"request_id": ID, "behavior": behavior}
    await ends(stage, ann, card, "passed on")
    assert host.events == []


@pytest.mark.parametrize("said", ["not ok", "yes", "ok go", "no", "1", "Allow", "allow", "yes abcdl", "yes abcd", "y"])
async def test_loose_words_are_no_verdict(stage: Stage, said: str) -> None:
    """What does not name the request is an ordinary message, and the card stays open."""
    ann = await approver(stage)
    host = await channel(stage)
    relay(host)
    card = await ann.next_message()
    ann.send(said)
    assert (await host.event()).content == said
    assert verdicts(host) == []
    assert buttons(ann, card) == ["Allow", "Deny"]


async def test_two_approvers_at_once_are_one_verdict(stage: Stage) -> None:
    """Allow and Deny in the same moment: the first counts, the other is told which, both cards say it."""
    ann, bob = await approver(stage), await approver(stage, "bob")
    host = await channel(stage)
    for number in range(5):
        request_id = "abcd" + "efghi"[number]
        relay(host, request_id)
        card, copy = await asyncio.gather(ann.next_message(), bob.next_message())
        stage.tg.hold_updates()
        taps = [bob.tap(copy["message_id"], label="Deny"), ann.tap(card["message_id"], label="Allow")]
        stage.tg.release()
        assert await verdict(host, number + 1) == {"request_id": request_id, "behavior": "deny"}
        answers = await asyncio.gather(*(tap.answered() for tap in taps))
        assert [answer.text for answer in answers] == ["Deny", "Already answered: Deny"]
        await ends(stage, ann, card, "Deny · bob")
        await ends(stage, bob, copy, "Deny · bob")
    await settled(host, ann)
    assert len(verdicts(host)) == 5


async def test_a_card_is_used_once(stage: Stage) -> None:
    """A second tap, a typed verdict afterwards, a forged one: no second verdict."""
    ann = await approver(stage)
    host = await channel(stage)
    relay(host)
    card = await ann.next_message()
    data = [b["callback_data"] for b in card["reply_markup"]["inline_keyboard"][0]]
    ann.tap(card["message_id"], label="Deny")
    await verdict(host)
    again = await ann.tap(card["message_id"], data=data[0]).answered()
    assert "Already answered: Deny" in again.text
    forged = await ann.tap(card["message_id"], data="A" * 22 + ".0").answered()
    assert forged.show_alert
    ann.send("yes abcde")
    assert (await host.event()).content == "yes abcde"
    assert len(verdicts(host)) == 1


@pytest.mark.parametrize("tapped", ["between", "after"])
@pytest.mark.parametrize("lease", ["fresh", "over"])
async def test_a_card_outlives_the_server_of_its_host(stage: Stage, lease: str, tapped: str) -> None:
    """SIGKILL while a card is open: the same host's next server passes the verdict on, whenever it was tapped."""
    ann = await approver(stage)
    first = await channel(stage)
    relay(first)
    card = await ann.next_message()
    await bound(stage, card)
    await first.kill()
    if lease == "over":
        with Store.open(stage.state) as store, store.transaction() as db:
            db.execute("UPDATE prompts SET lease_until = created_at")
    if tapped == "between":
        ann.tap(card["message_id"], label="Deny")
    second = await channel(stage)
    if tapped == "after":
        ann.tap(card["message_id"], label="Deny")
    assert await verdict(second) == {"request_id": ID, "behavior": "deny"}
    await ends(stage, ann, card, "Deny · ann – passed on")
    await settled(second, ann)
    assert len(verdicts(second)) == 1
    assert len(ann.inbox) == 1


@pytest.mark.parametrize("session", ["the same", "another"])
async def test_an_old_card_approves_nothing_that_is_asked_later(stage: Stage, session: str) -> None:
    """A new request under the old one's id, or another session: the old card decides nothing and says so."""
    ann = await approver(stage)
    first = await channel(stage)
    relay(first)
    old = await ann.next_message()
    await bound(stage, old)
    await first.kill()
    if session == "the same":
        second = await channel(stage)
    else:
        with Store.open(stage.state) as store, store.transaction() as db:
            db.execute("UPDATE prompts SET lease_until = created_at")
        second = await stage.reading(CHANNELS_CLAIM="always", CLAUDE_CODE_SESSION_ID="another")
    relay(second)
    new = await ann.next_message()
    assert new["message_id"] != old["message_id"]
    told = await ann.tap(
        old["message_id"], data=old["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    ).answered()
    assert told.show_alert
    assert "ended" in told.text
    await settled(second, ann)
    assert verdicts(second) == []
    ann.tap(new["message_id"], label="Deny")
    assert await verdict(second) == {"request_id": ID, "behavior": "deny"}
    assert not any("Allow · ann – passed on" in m.get("text", "") for m in ann.messages())


async def test_who_is_no_approver_is_refused(stage: Stage) -> None:
    """Paired, stranger, group member, a former approver: a visible refusal, and no verdict from any of them."""
    ann, bob, eve = await approver(stage), stage.person("bob"), stage.tg.person("eve")
    # In groups a bot hears everything only with its privacy mode off.
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob, eve])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    host = await channel(stage)
    relay(host)
    card = await ann.next_message()
    data = card["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await host.done("reply", chat_id=bob.id, text="hello", buttons=[["x"]])
    theirs = await bob.next_message()
    await host.done("reply", chat_id=group.id, text="hello all", buttons=[["x"]])
    shared = await group.next_message()
    refusals = [
        await bob.tap(theirs["message_id"], data=data).answered(),
        await bob.tap(shared["message_id"], data=data, chat=group).answered(),
        await eve.tap(shared["message_id"], data=data, chat=group).answered(),
        await ann.tap(shared["message_id"], data=data, chat=group).answered(),
    ]
    assert all(refusal.show_alert and refusal.text for refusal in refusals)
    bob.send("yes abcde")
    assert (await host.event()).content == "yes abcde"
    ann.send("yes abcde", chat=group)
    assert (await host.event()).content == "yes abcde"
    for step in (("approver", "rm", str(ann.id)), ("remove", str(ann.id))):
        assert (await stage.access(*step)).code == 0
        refusal = await ann.tap(card["message_id"], label="Allow").answered()
        assert refusal.show_alert
        assert "not allowed" in refusal.text
    await settled(host, bob)
    assert verdicts(host) == []
    assert not any("abcde" in message.get("text", "") for message in bob.inbox)


async def test_nobody_is_an_approver_silently(stage: Stage) -> None:
    """Paired people and no approver: nobody is asked, and the session goes on."""
    ann = stage.person()
    host = await channel(stage)
    relay(host)
    await settled(host, ann)
    assert ann.inbox == []
    assert verdicts(host) == []


async def test_the_relay_can_be_switched_off(stage: Stage) -> None:
    """`permission_relay: false` in config.yaml: no card."""
    stage.config(grace_s=0, permission_relay=False)
    ann = await approver(stage)
    host = await channel(stage)
    relay(host)
    await settled(host, ann)
    assert ann.inbox == []


async def test_a_relayed_change_is_a_diff(stage: Stage) -> None:
    """If the preview is whole; the host takes no answer but Allow and Deny."""
    ann = await approver(stage)
    host = await channel(stage)
    (stage.project / "a.txt").write_text("one\ntwo\n")
    given = {"file_path": str(stage.project / "a.txt"), "old_string": "one", "new_string": "1"}
    relay(host, tool_name="Edit", description="", input_preview=json.dumps(given))
    card = await ann.next_message()
    assert "a.txt\n\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n\nProject" in card["text"]
    assert buttons(ann, card) == ["Allow", "Deny"]
    ann.tap(card["message_id"], label="Allow")
    assert await verdict(host) == {"request_id": ID, "behavior": "allow"}


@pytest.mark.parametrize("preview", ["plain", "astral", "cut json"])
async def test_a_long_request_is_complete(stage: Stage, preview: str) -> None:
    """3,500 code points a field, in parts or as a file: every character arrives, the buttons under the last part."""
    text = {
        "plain": " ".join(f"w{n}" for n in range(2_000))[:3_500],
        "astral": "😀" * 3_500,
        "cut json": json.dumps({"command": "echo " + "y" * 4_000})[:3_500],
    }[preview]
    description = "d" * 3_500
    ann = await approver(stage)
    host = await channel(stage)
    relay(host, input_preview=text, description=description)
    parts = [await ann.next_message()]
    while not buttons(ann, parts[-1]):
        parts.append(await ann.next_message())
    squeezed = "".join(part.get("text", "") for part in parts).replace(" ", "").replace("\n", "")
    documents = [call.params["document"].data.decode() for call in stage.tg.calls_of("sendDocument")]
    whole = squeezed + "".join(documents).replace(" ", "").replace("\n", "")
    assert text.replace(" ", "") in whole
    assert description in whole
    ann.tap(parts[-1]["message_id"], label="Allow")
    assert (await verdict(host))["behavior"] == "allow"


async def test_several_requests_at_once_are_kept_apart(stage: Stage) -> None:
    """Three open cards: each tap is for its own request."""
    ann = await approver(stage)
    host = await channel(stage)
    cards = {}
    for request_id in ("aaaaa", "bbbbb", "ccccc"):
        relay(host, request_id)
        cards[request_id] = await ann.next_message()
        assert request_id in cards[request_id]["text"]
    ann.tap(cards["bbbbb"]["message_id"], label="Deny")
    ann.send("yes ccccc")
    ann.tap(cards["aaaaa"]["message_id"], label="Allow")
    await host.until(lambda: len(verdicts(host)) == 3, what="three verdicts")
    assert {v["request_id"]: v["behavior"] for v in verdicts(host)} == {
        "aaaaa": "allow", "bbbbb": "deny", "ccccc": "allow",
    }  # fmt: skip


async def test_odd_requests_do_no_harm(stage: Stage) -> None:
    """Missing, unknown and wrong fields, and markup in them: no crash, and what can be shown is shown as text."""
    ann = await approver(stage)
    host = await channel(stage)
    host.notify(REQUEST, {"tool_name": "Bash"})
    host.notify(REQUEST, {})
    host.notify(REQUEST)
    host.notify(REQUEST, {"request_id": 5, "tool_name": {"a": 1}})
    relay(host, tool_name="B<b>a</b>sh\u202e", input_preview="*bold* <i>x</i> \ud83d", future="field")
    card = await ann.next_message()
    assert "*bold* <i>x</i>" in card["text"]
    assert "\u202e" not in card["text"]
    ann.tap(card["message_id"], label="Allow")
    assert (await verdict(host))["request_id"] == ID
    assert (await host.status())["problem"] is None


# ---- the approvers' list


async def test_approvers_are_a_list_of_their_own(stage: Stage) -> None:
    """Adding refuses who is not paired; rm takes the role; status shows it; losing access loses the role."""
    ann, bob = stage.person(), stage.tg.person("bob")

    async def shown() -> dict[str, bool]:
        return {p["id"]: p["approver"] for p in (await stage.access("status", "--json")).json["paired"]}

    refused = await stage.access("approver", "add", str(bob.id))
    assert refused.code == 1
    assert "not paired" in refused.err
    assert await shown() == {str(ann.id): False}
    added = await stage.access("approver", "add", str(ann.id), "--json")
    assert (added.code, added.json["approver"], added.json["is"]) == (0, str(ann.id), True)
    assert await shown() == {str(ann.id): True}
    assert "(approver)" in (await stage.access()).out
    assert (await stage.cli("status", "telegram", "--json")).json["paired"][0]["approver"] is True
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    assert (await stage.access("approver", "rm", str(ann.id))).code == 0
    assert await shown() == {str(ann.id): False}
    gone = await stage.access("approver", "rm", str(ann.id))
    assert gone.code == 1
    assert "not an approver" in gone.err
    assert (await stage.access("approver", "add", "ann")).code == 2
    await stage.access("approver", "add", str(ann.id))
    await stage.access("remove", str(ann.id))
    await stage.access("allow", str(ann.id))
    assert await shown() == {str(ann.id): False}
