"""`channels access telegram invite`: one person gets in with it, once and in time, whoever else is waiting."""

from __future__ import annotations

import io
import re

import segno

from harness import Stage

LINK = re.compile(r"https://t\.me/sandbox_bot\?start=([A-HJ-NP-Z2-9]{12})")


async def test_the_first_to_open_the_link_is_paired(stage: Stage) -> None:
    """Three strangers wait, a fourth is turned away; the invited person is paired at once; the link works once."""
    host = await stage.reading()
    for number in range(4):
        stage.tg.person(f"stranger{number}").send("let me in")
    ran = await stage.access("invite")
    assert ran.code == 0, ran.err
    found = LINK.search(ran.out)
    assert found is not None
    assert "10 minutes" in ran.out
    assert "No server reads" not in ran.out
    drawn = io.StringIO()
    segno.make(found[0], error="l", micro=False).terminal(drawn, compact=True, border=2)
    assert drawn.getvalue().rstrip("\n") in ran.out

    ann = stage.tg.person("ann", first_name="Ann")
    ann.start(found[1])
    assert "Paired" in (await ann.next_message())["text"]
    ann.send("hello")
    assert (await host.event()).content == "hello"
    status = (await stage.access("--json")).json
    assert [person["id"] for person in status["paired"]] == [str(ann.id)]
    assert len(status["pending"]) == 3

    bob = stage.tg.person("bob")
    bob.start(found[1])
    told = (await bob.next_message())["text"]
    assert "This invitation was used already" in told
    assert "too many people are waiting" in told
    assert len((await stage.access("--json")).json["paired"]) == 1


async def test_a_used_invitation_says_so(stage: Stage) -> None:
    """The second to open it gets a stranger's code, and is told why; who guesses a code learns nothing."""
    await stage.reading()
    code = (await stage.access("invite", "--json")).json["code"]
    ann, bob, eve = (stage.tg.person(name) for name in ("ann", "bob", "eve"))
    ann.start(code)
    assert "Paired" in (await ann.next_message())["text"]
    bob.start(code)
    told = (await bob.next_message())["text"]
    assert "This invitation was used already" in told
    assert "Your pairing code: " in told
    eve.start("ABCDEFGHJKLM")
    assert "invitation" not in (await eve.next_message())["text"]


async def test_it_waits_for_a_server(stage: Stage) -> None:
    """Without a server the platform keeps the tap, which counts from when it was made, under `allowlist` too."""
    await stage.access("policy", "allowlist")
    ran = await stage.access("invite", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["link"].endswith(ran.json["code"])
    assert ran.json["bot"]["username"] == "sandbox_bot"
    assert "No server reads" in (await stage.access("invite", "--no-qr")).out
    ann, bob = stage.tg.person("ann"), stage.tg.person("bob")
    ann.start(ran.json["code"])
    bob.start()
    host = await stage.reading()
    assert "Paired" in (await ann.next_message())["text"]
    ann.send("here")
    assert (await host.event()).content == "here"
    # Whoever was not invited gets no answer under this policy.
    assert [message for message in bob.messages() if message["from"]["is_bot"]] == []


async def test_nobody_is_let_in_while_direct_messages_are_disabled(stage: Stage) -> None:
    """The policy `disabled` is stronger than an invitation, which works again afterwards."""
    await stage.access("policy", "disabled")
    code = (await stage.access("invite", "--json")).json["code"]
    await stage.reading()
    ann = stage.tg.person("ann")
    ann.start(code)
    await stage.tg.wait_for(lambda: not stage.tg.pending_updates)
    assert (await stage.access("--json")).json["paired"] == []
    await stage.access("policy", "allowlist")
    ann.start(code)
    assert "Paired" in (await ann.next_message())["text"]


async def test_without_a_token_there_is_nothing_to_invite_to(stage: Stage) -> None:
    """The error names the command to run first."""
    ran = await stage.access("invite", TELEGRAM_BOT_TOKEN=None)
    assert ran.code == 1
    assert "channels setup telegram" in ran.err
