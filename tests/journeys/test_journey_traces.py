"""Traces on every platform, as a collector on loopback receives them: one of each message, across a kill."""

from __future__ import annotations

import json

from agent_channels.core.host.protocol import PUSH
from collector import Collected, Collector
from hook_runs import Hooks
from phones import Play

SECRET_WORDS = "the launch code is Bluebird"


def last(spans: list[Collected], name: str) -> Collected:
    return [span for span in spans if span.name == name][-1]


async def test_one_trace_from_the_message_to_the_answer_across_a_kill(play: Play) -> None:
    """Journalled and offered by one process, which is killed; offered again and answered by the next: one trace.

    A tap on the answer's button goes on with it, and a send that fails is marked. No words, tokens or ids of people.
    """
    system = play.stage.channel
    async with Collector() as collector:
        ann = play.friend("ann")
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        first = await play.reading(**tracing)
        ann.say(SECRET_WORDS)
        event = await first.event()
        delivery_id = event.meta["delivery_id"]
        offered = (await collector.named("offer push"))[0]
        received = (await collector.named(f"process {system}"))[0]
        await collector.named("journal")
        await first.kill()

        second = await play.reading(**tracing)
        again = await second.event()
        assert (again.meta["delivery_id"], again.meta["redelivered"]) == (delivery_id, "true")
        await second.done("reply", chat_id=ann.chat_id, text=f"{SECRET_WORDS}?", buttons=[["Yes", "No"]])
        question = await ann.hear()
        sent = (await collector.named(f"send {system}"))[0]
        spans = await collector.until(lambda spans: any(span.name == "tools/call reply" for span in spans))

        call, second_offer = last(spans, "tools/call reply"), last(spans, "offer push")
        chain = [received, last(spans, "journal"), offered, second_offer, call, sent]
        assert {span.trace for span in [*chain, *(s for s in spans if s.name == PUSH)]} == {received.trace}
        parents = [span.parent for span in chain]
        assert parents == ["", received.id, received.id, received.id, second_offer.id, call.id]
        assert [s.parent for s in spans if s.name == PUSH] == [offered.id, second_offer.id]
        assert [span.kind for span in chain] == [
            "consumer", "internal", "internal", "internal", "server", "producer",
        ]  # fmt: skip
        begun = [span.begun for span in (received, offered, second_offer, call, sent)]
        assert begun == sorted(begun)
        assert received.process == offered.process != second_offer.process == call.process == sent.process
        assert call.links == [(received.trace, received.id)]
        assert (received.attributes["messaging.system"], received.attributes["messaging.message.id"]) == (
            system,
            delivery_id,
        )
        assert (second_offer.attributes["agent_channels.mode"], second_offer.attributes["agent_channels.offers"]) == (
            "push",
            2,
        )
        chats = {span.attributes["messaging.message.conversation_id"] for span in (received, sent)}
        assert len(chats) == 1
        assert not any(span.failed for span in spans)

        # A tap is an update of its own, below the send of the question that it answers.
        ann.tap(question.id, "Yes")
        tap = await second.event()
        received_tap = next(
            span
            for span in await collector.named(f"process {system}", 2)
            if span.attributes["messaging.message.id"] == tap.meta["delivery_id"]
        )
        assert (received_tap.trace, received_tap.parent) == (sent.trace, sent.id)
        assert (await collector.named("offer push", 3))[-1].parent == received_tap.id

        # What is refused is marked, with the class of the error, and no words of it.
        refused = await second.refused("reply", chat_id="1234567", text="x")
        failed = (await collector.named("tools/call reply", 2))[-1]
        assert failed.failed
        assert failed.attributes["error.type"] == "tool_error"
        assert failed.trace != received.trace
        assert refused not in repr(failed)

        sending = {"telegram": "sendMessage", "discord": "POST /channels/*/messages", "slack": "chat.postMessage"}
        # Slack says in words what it refuses.
        body = {"slack": {"ok": False, "error": "restricted_action"}}.get(system)
        play.sandbox.faults.add("error", method=sending[system], status=403, times=1, body=body)
        await second.refused("reply", chat_id=ann.chat_id, text="y")
        failed = next(span for span in await collector.named(f"send {system}", 2) if span.failed)
        assert failed.attributes["error.type"] == "Forbidden"

        await second.close()
        said = repr(collector.spans) + repr(collector.bodies) + repr(collector.resources)
        for secret in (
            SECRET_WORDS,
            "Bluebird",
            ann.user_id,
            ann.chat_id,
            play.stage.env[f"{system.upper()}_BOT_TOKEN"],
        ):
            assert secret not in said, secret
        logged = [json.loads(line) for line in (await play.stage.cli("logs", system, "--json")).out.splitlines()]
        assert all("Bluebird" not in record["text"] for record in logged)


async def test_what_a_hook_hands_over_is_in_the_messages_trace(play: Play, hooks: Hooks) -> None:
    """A hook is a process of its own, and ends in a moment: its span arrives all the same. Off, it makes none."""
    system = play.stage.channel
    async with Collector() as collector:
        ann = play.friend("ann")
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        await play.reading(CHANNELS_MODE="hook", **tracing)
        for env in (tracing, {}):
            play.stage.env |= env or {"OTEL_SDK_DISABLED": "true"}
            ann.say("hello")
            received = (await collector.named(f"process {system}", 1 if env else 2))[-1]
            ran = await hooks.run("prompt")
            assert "hello" in ran.out
        offers = [span for span in collector.spans if span.name == "offer hook"]
        first = (await collector.named(f"process {system}"))[0]
        assert [(span.trace, span.parent) for span in offers] == [(first.trace, first.id)]
        assert offers[0].process != first.process
        assert received.trace != first.trace
