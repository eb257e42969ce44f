"""The end of `channels setup`: a person gets in, and taps the first button.

The bot is read here meanwhile, as a server reads it, unless one of this project does. What people write is kept for the
agent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from agent_channels.cli.bot_reading import LOOK_EVERY_S, open_for_nobody, until
from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.invite import how_to_start, invite_to
from agent_channels.cli.setup_steps import Steps
from agent_channels.core.buttons.prompt_spec import Prompt, PromptSpec
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Identity
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.errors import ChannelError, ConfigError, PlatformError
from agent_channels.core.i18n.messages import translate
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.people.access import Member
from agent_channels.core.people.invites import VALID_S
from agent_channels.core.people.pairing import Applicant
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.scheduling import wait_for_tick
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.text.sanitize import label

__all__ = ["first_tap"]

# How long the first message waits for its tap, also when the set-up is interrupted meanwhile.
TAP_WITHIN_S = 24 * 3600.0
# What the tap changes in the chat is shown before the bot is left alone, if the platform takes it so soon.
SHOWN_WITHIN_S = 5.0
# A platform without a queue keeps nothing for a bot that is not connected yet; trouble is named meanwhile.
READING_WITHIN_S = 30.0
# States of the reader that need no word.
QUIET = {None, "reading", "connecting", "idle"}
WORKS, WRONG = "works", "wrong"


def first_tap(row: Channel, env: Environment, dialogue: Dialogue, bot: Identity, *, invite: str | None) -> None:
    """Let somebody in, ask what they may do, send them two buttons, and wait for the tap. A person is at the terminal.

    `invite` is the option's `yes`: somebody else is invited. Raises `ConfigError` if the bot cannot be read, or the
    message cannot be sent.
    """
    try:
        anyio.run(partial(_FirstTap(row, env, dialogue, bot).run, somebody_else=invite == "yes"))
    except BaseExceptionGroup as group:
        error = _first(group)
        if isinstance(error, PlatformError):
            raise ConfigError(
                sentence("{error}; `{again}` goes on from here", error=words_of(error), again=dialogue.again)
            ) from None
        if isinstance(error, ChannelError):
            raise error from None
        raise


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@dataclass
class _FirstTap:
    row: Channel
    env: Environment
    dialogue: Dialogue
    bot: Identity

    async def run(self, *, somebody_else: bool) -> None:
        async with self._reading() as runtime:
            services = runtime.context.services
            steps = Steps(services.key_values)
            before = services.access.members()
            if steps.finished and before:
                names = ", ".join(map(_named, before))
                self.dialogue.say("✓ Paired: {names}.", names=names)
                if somebody_else or await self._confirm("Invite somebody else now?", default=False):
                    await self._approver(runtime, steps, await self._newcomer(runtime))
            else:
                person = self._known(steps, before)
                if person is None or somebody_else:
                    person = await self._newcomer(runtime)
                else:
                    self.dialogue.say("✓ {person} is paired.", person=_named(person))
                steps.set("person", person.user_id)
                await self._approver(runtime, steps, person)
                await self._tap(runtime, steps, person)
            steps.finish()
        self._say_next()

    def _say_next(self) -> None:
        self.dialogue.say(
            "Next: {start}; `channels launch {name}` starts Claude Code so that it receives messages. "
            "`channels status {name}` shows how things stand.",
            start=how_to_start(self.env),
            name=self.row.name,
        )

    @staticmethod
    def _known(steps: Steps, members: list[Member]) -> Member | None:
        """Return who was paired in a run that was interrupted, else the one who has been in for longest."""
        chosen = steps.get("person")
        return next((member for member in members if member.user_id == chosen), members[0] if members else None)

    # ---- the bot is read

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[ChannelRuntime]:
        """Open the bot, and read it until the block ends; where a server of this project does, it is left to that."""
        async with open_for_nobody(self.row, "setup") as runtime, anyio.create_task_group() as group:
            read_here = await self._is_read_here(runtime)
            # Beside a server of this project it only takes over if that ends.
            group.start_soon(runtime.run)
            group.start_soon(self._name_trouble, runtime)
            with anyio.move_on_after(0 if read_here else READING_WITHIN_S):
                await until(lambda: runtime.context.services.health.reading)
            yield runtime
            group.cancel_scope.cancel()

    async def _is_read_here(self, runtime: ChannelRuntime) -> bool:
        """Return whether a server of this project reads the bot.

        Waits until no program with other state does: what people send would go there.
        """
        told = False
        while (holder := runtime.lock.holder()) is not None:
            if holder.state_dir in {"", str(self.env.state_dir)}:
                self.dialogue.say("✓ A server of this project reads the bot already (process {pid}).", pid=holder.pid)
                return True
            if not told:
                told = True
                self.dialogue.say(
                    "· The bot is read elsewhere: {holder}. A bot has one reader, so end that session, or give "
                    "this project a bot of its own. Waiting until it is free ... (Ctrl-C stops)",
                    holder=holder.describe(),
                )
            await wait_for_tick(LOOK_EVERY_S)
        return False

    async def _name_trouble(self, runtime: ChannelRuntime) -> None:
        """Say what keeps the bot from being read, once for each reason."""
        said = ""
        while True:
            health = runtime.context.services.health.read()
            error = str(health.get("error") or "")
            if health.get("reader") not in QUIET and error and error != said:
                said = error
                self.dialogue.say("· {error}", error=error)
            await wait_for_tick(1.0)

    # ---- questions

    async def _confirm(self, question: str, *, default: bool) -> bool:
        # The bot goes on being read while the person thinks.
        ask = partial(self.dialogue.confirm, None, question, default=default)
        return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)

    # ---- somebody gets in

    async def _newcomer(self, runtime: ChannelRuntime) -> Member:
        """Show an invitation until somebody is in; who writes without it may be let in here."""
        services = runtime.context.services
        if services.access.policy() == "disabled":
            raise ConfigError(
                sentence(
                    "direct messages are disabled, so nobody can get in; allow them with `channels access {name} "
                    "policy pairing`, then run this again",
                    name=self.row.name,
                )
            )
        news = _News(services)
        template = runtime.context.adapter.capabilities.invite_link
        while True:
            _, text = invite_to(self.bot, self.row, services, template, qr_code=True, is_read=True)
            self.dialogue.say("\n{invitation}\n", invitation=text)
            self.dialogue.say(
                "Waiting for your tap in {title} ... (Ctrl-C stops; run it again to go on)"
                if template
                else "Waiting for your message in {title} ... (Ctrl-C stops; run it again to go on)",
                title=self.row.title,
            )
            with anyio.move_on_after(VALID_S):
                while True:
                    match found := await until(news.next):
                        case Member():
                            self.dialogue.say("✓ {person} is paired.", person=_named(found))
                            return found
                        case Applicant():
                            await self._admit(runtime, found)
                        case (group_id, title):
                            self._say_group(group_id, title)
            self.dialogue.say("That invitation has run out; here is a new one.")

    async def _admit(self, runtime: ChannelRuntime, applicant: Applicant) -> None:
        """Ask about somebody who wrote without the invitation, and let them in if the person says so."""
        question = sentence(
            "{person} has written to the bot, without the invitation. Is that you, or may they come in?",
            person=_named(applicant),
        )
        if await self._confirm(question, default=False):
            services = runtime.context.services
            services.pairing.admit(applicant.user_id, lambda a: translate("paired", name=label(a.name)))
            runtime.context.wakeups.answer_given()
        else:
            self.dialogue.say(
                "· {person} stays out. Still waiting ... (Ctrl-C stops; run it again to go on)",
                person=_named(applicant),
            )

    def _say_group(self, group_id: str, title: str) -> None:
        self.dialogue.say(
            "· The bot was called in {place}. You get in by a direct message: open the bot's profile there "
            "and write to it. `channels access {name} group add {group_id}` enables that place later.",
            place=label(title) or group_id,
            name=self.row.name,
            group_id=group_id,
        )

    async def _approver(self, runtime: ChannelRuntime, steps: Steps, person: Member) -> None:
        """Ask whether somebody may answer permission prompts, once."""
        access = runtime.context.services.access
        if access.is_approver(person.user_id) or steps.get("approver") == person.user_id:
            return
        if await self._confirm(
            sentence(
                "May {person} answer from {title} what the agent asks permission for?",
                person=_named(person),
                title=self.row.title,
            ),
            default=True,
        ):
            access.set_approver(person.user_id, approver=True)
            undo = f"channels access {self.row.name} approver rm {person.user_id}"
            self.dialogue.say("✓ {person} may. `{undo}` undoes that.", person=_named(person), undo=undo)
        steps.set("approver", person.user_id)

    # ---- the tap

    async def _tap(self, runtime: ChannelRuntime, steps: Steps, person: Member) -> None:
        prompts = runtime.context.services.prompts
        prompt_id = steps.get("prompt")
        known = prompts.get(prompt_id) if isinstance(prompt_id, str) else None
        if known is None or known.state not in {"open", "answered"} or not known.sent:
            known = await self._send(runtime, steps, person)
        self.dialogue.say(
            "✓ {person} has a message with two buttons. Waiting for the tap ... (Ctrl-C stops)", person=_named(person)
        )

        def ended() -> Prompt | None:
            found = prompts.get(known.id)
            return found if found is None or found.state != "open" else None

        found = await until(ended)
        if not prompts.take(known.id):
            raise ConfigError(
                sentence(
                    "the message was closed without a tap; `{again}` sends another one",
                    again=self.dialogue.again,
                )
            )
        prompts.confirm([known.id])
        runtime.context.wakeups.outcome_due.set()
        panels = runtime.context.services.panels
        with anyio.move_on_after(SHOWN_WITHIN_S):
            await until(lambda: not panels.outcomes_due())
        result = found.result or {}
        self.dialogue.say(
            "✓ {user} tapped {button!r}: the set-up is done.",
            user=label(str(result.get("user", ""))),
            button=result.get("label"),
        )
        if result.get("value") == WRONG:
            self.dialogue.say("`channels doctor {name}` looks for what is wrong.", name=self.row.name)

    async def _send(self, runtime: ChannelRuntime, steps: Steps, person: Member) -> Prompt:
        """Send the first message; its tap is kept for this set-up, also while that is interrupted."""
        services = runtime.context.services
        grid = ((Button(translate("setup_works"), WORKS), Button(translate("setup_wrong"), WRONG)),)
        spec = PromptSpec(grid)
        prompt = services.prompts.create(
            "ask", spec, session=runtime.context.link.session, timeout_s=TAP_WITHIN_S, lease_s=TAP_WITHIN_S
        )
        reply = Reply(
            chat_id=await runtime.resolve_chat(person.user_id),
            text=translate("setup_hello", name=label(person.name), project=label(project_dir().name)),
            format="text",
            grid=spec.drawn_grid(),
            tappers=[person.user_id],
            prompt_id=prompt.id,
        )
        try:
            await runtime.sender.reply(reply, lambda: None)
        except BaseException:
            services.prompts.close(prompt.id, "")
            raise
        services.prompts.mark_sent(prompt.id)
        steps.set("prompt", prompt.id)
        return prompt


class _News:
    """What happened since: who got in, who asks to, and where the bot was called; each is told once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._members = {member.user_id for member in services.access.members()}
        self._groups = {chat_id for chat_id, _ in services.chats.groups_not_enabled()}
        self._applicants: set[str] = set()

    def next(self) -> Member | Applicant | tuple[str, str] | None:
        """Return what is new, somebody who is in first; None if nothing is."""
        for member in self._services.access.members():
            if member.user_id not in self._members:
                self._members.add(member.user_id)
                return member
        for applicant in self._services.pairing.pending():
            if applicant.user_id not in self._applicants:
                self._applicants.add(applicant.user_id)
                return applicant
        for group in self._services.chats.groups_not_enabled():
            if group[0] not in self._groups:
                self._groups.add(group[0])
                return group
        return None


def _named(person: Member | Applicant) -> str:
    handle = f"@{person.username}, " if person.username else ""
    return f"{label(person.name) or person.user_id} ({handle}id {person.user_id})"
