"""The part of `channels setup` that moves this project from a bot of its own to the shared bot of another project.

The earlier bot is read to its end, says where to go on, and closes what it asked; only then the token changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from agent_channels.cli.bot_reading import open_for_nobody, until
from agent_channels.cli.dialogue import Dialogue
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Identity
from agent_channels.core.errors import ConfigError, PlatformError
from agent_channels.core.i18n.messages import translate
from agent_channels.core.i18n.sentences import counted, sentence, words_of
from agent_channels.core.runtime.change_bot import change_bot, move_chats
from agent_channels.core.runtime.reader_lock import HandoverRequests
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.scheduling import wait_for_tick
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label

__all__ = ["BotMove"]

# How long a server of this project may take to hand its bot over.
HANDED_OVER_WITHIN_S = 30.0
# How long the earlier bot is tried to be read, and its last words to be said.
READING_WITHIN_S = 30.0
SAID_WITHIN_S = 30.0
# How long everything that waits there may take: thousands of messages with files, at the most.
READ_OUT_WITHIN_S = 300.0
# Nothing new for so long: what is on its way from the platform has arrived.
QUIET_S = 1.0


@dataclass
class BotMove:
    """From the bot whose token this project has now to another one.

    `bot` is the new one, which `homes` are the direct chats with, by user id; `link` leads to it.
    """

    row: Channel
    env: Environment
    settings: Settings
    dialogue: Dialogue
    bot: Identity
    link: str | None
    homes: dict[str, str] = field(default_factory=dict)

    @property
    def _told_key(self) -> str:
        """The key under which the store keeps that people were told, until the move is done."""
        return f"moved_to:{self.bot.id}"

    def run(self, token: str, take_token: Callable[[], None]) -> None:
        """Do all of it; `token` is the new one, and `take_token` puts it in place of the other.

        Raises `ConfigError` if the earlier bot cannot be read out; nothing has changed then but what people were told.
        """
        with Store.open(self.env.state_dir) as store:
            before = Services.of(store).inbox.counts()["open"]
        anyio.run(self._find_homes, token)
        try:
            anyio.run(self._leave_earlier, take_token)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        with Store.open(self.env.state_dir) as store:
            services = Services.of(store)
            # What came after these had moved, until the end of reading.
            move_chats(services, self.homes)
            services.key_values.delete(self._told_key)
            waiting = services.inbox.counts()["open"]
            groups = services.access.groups()
        self.dialogue.data["moved"] = {"open_before": before, "open": waiting}
        self.dialogue.say(
            "✓ Moved to @{bot}: people, history and {messages} stay, and are answered through it.",
            bot=self.bot.username,
            messages=counted(waiting, "open message"),
        )
        self._say_who_has_to_do_what(len(groups))

    def _say_who_has_to_do_what(self, groups: int) -> None:
        if self.link:
            self.dialogue.say(
                "· @{bot} can write only to people who have pressed Start with it; anybody else must open {link} first",
                bot=self.bot.username,
                link=self.link,
            )
        elif self.row.join_link is not None:
            self.dialogue.say(
                "· @{bot} can write only to people who share a server with it: {link}",
                bot=self.bot.username,
                link=self.row.join_link(self.bot.id),
            )
        if groups:
            self.dialogue.say(
                "· {groups} stay enabled; add @{bot} there too, and remove the earlier bot.",
                groups=counted(groups, "group"),
                bot=self.bot.username,
            )

    # ---- the new bot

    async def _find_homes(self, token: str) -> None:
        """Find the direct chats with the new bot: where a platform has one for each bot, they have other ids."""
        with Store.open(self.env.state_dir) as store:
            services = Services.of(store)
            people = [one.user_id for one in services.access.members()]
            people += [one.user_id for one in services.pairing.pending()]
        async with self.row.connect(self.env, self.settings, token) as adapter:
            for user_id in people:
                try:
                    self.homes[user_id] = await adapter.open_direct_chat(user_id)
                except PlatformError as error:
                    self.dialogue.say(
                        "· @{bot} has no direct chat with {user} ({error})",
                        bot=self.bot.username, user=user_id, error=words_of(error),
                    )  # fmt: skip

    # ---- the earlier bot

    async def _leave_earlier(self, take_token: Callable[[], None]) -> None:
        async with open_for_nobody(self.row, "setup") as runtime, anyio.create_task_group() as group:
            await self._take_over(runtime)
            group.start_soon(runtime.run)
            if await self._is_read(runtime):
                await self._say_farewell(runtime)
                await self._read_out(runtime)
            # While the bot is held here, so that no server of this project reads it in between.
            change_bot(runtime.context.services, self.homes)
            take_token()
            group.cancel_scope.cancel()

    async def _take_over(self, runtime: ChannelRuntime) -> None:
        """Have a server of this project hand the bot over."""
        deadline = anyio.current_time() + HANDED_OVER_WITHIN_S
        while not runtime.lock.claim():
            if (holder := runtime.lock.holder()) is None:
                continue
            if holder.state_dir not in {"", str(self.env.state_dir)} or anyio.current_time() > deadline:
                raise ConfigError(
                    sentence(
                        "{holder}, reads the bot that this project leaves; end that session, and run this again",
                        holder=holder.describe(),
                    )
                )
            HandoverRequests(runtime.context.services.key_values).request()
            await wait_for_tick(1.0)

    async def _is_read(self, runtime: ChannelRuntime) -> bool:
        """Return once the earlier bot is read; False if its token is not valid any more. Raises `ConfigError`."""
        health = runtime.context.services.health
        with anyio.move_on_after(READING_WITHIN_S):
            await until(lambda: health.reading or (health.latest() or ("", ""))[0] == "unauthorized")
        if health.reading:
            return True
        state, error = health.latest() or ("", "")
        if state == "unauthorized":
            self.dialogue.say(
                "· The earlier bot cannot be read any more ({error}): what people wrote to it and no server has read "
                "stays there, and its open buttons stay as they are.",
                error=error,
            )
            return False
        raise ConfigError(
            sentence(
                "the bot that this project leaves cannot be read ({error}), so what waits there would be lost; "
                "nothing was changed, so run this again later",
                error=error or state,
            )
        )

    async def _say_farewell(self, runtime: ChannelRuntime) -> None:
        """Close what the earlier bot asked, and let it say where to go on, once."""
        context = runtime.context
        services, name = context.services, f"@{self.bot.username}"
        with services.store.transaction():
            ended = services.prompts.close_asks(translate("panel_moved", bot=name))
            ended += services.panels.cancel_all(translate("panel_moved", bot=name))
            if services.key_values.add(self._told_key, ""):
                text = translate("bot_moved", project=label(project_dir().name), bot=name, link=self.link or "").strip()
                for member in services.access.members():
                    _, chat_id = services.access.direct_chat(member.user_id)
                    if chat_id is not None and not services.chats.has_blocked(member.user_id):
                        services.notices.add(chat_id, text)
        context.wakeups.outcome_due.set()
        with anyio.move_on_after(SAID_WITHIN_S):
            await until(lambda: not services.panels.outcomes_due() and not services.notices.any())
        self.dialogue.say(
            "✓ The earlier bot said in every direct chat where to go on, and closed {panels} that it had open.",
            panels=counted(ended, "question"),
        )

    async def _read_out(self, runtime: ChannelRuntime) -> None:
        """Return once everything that people wrote to the earlier bot is in the inbox, with its files."""
        context = runtime.context
        services, quiet_since, last = context.services, anyio.current_time(), -1
        with anyio.move_on_after(READ_OUT_WITHIN_S):
            while True:
                await wait_for_tick(0.2)
                newest = services.inbox.last_id()
                busy = newest != last or services.inbox.any_unsettled() or not services.health.reading
                last = newest
                if busy or await context.adapter.has_backlog(services.cursors.get(context.bot_id)):
                    quiet_since = anyio.current_time()
                elif anyio.current_time() - quiet_since >= QUIET_S:
                    return
        raise ConfigError(
            sentence(
                "the bot that this project leaves still has messages after {seconds:.0f} s; nothing was changed, so "
                "run this again",
                seconds=READ_OUT_WITHIN_S,
            )
        )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if isinstance(found, PlatformError):
        return ConfigError(words_of(found))
    return found
