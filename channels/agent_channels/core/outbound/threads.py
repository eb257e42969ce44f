"""Threads of chats: opened by name, renamed, and what becomes of a message to one that is not there any more."""

from __future__ import annotations

from dataclasses import replace

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Chat, Person, Place
from agent_channels.core.contract.outgoing import Outgoing, Sent
from agent_channels.core.errors import Refused, Rejected, ThreadGone, Unsupported
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.people.chats import Chats
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.secret_values import mask_secrets
from agent_channels.core.text.units import length, truncate

__all__ = ["Threads", "first_words"]

TITLE_MAX = 40


def first_words(text: str) -> str:
    """Return the first words of a text as a title: one line, without secrets, at most 40 characters, cut at a word."""
    # Masked as a whole: a part of a secret does not look like one.
    line = label(mask_secrets(redact(text)), 4096)
    if len(line) <= TITLE_MAX:
        return line
    cut = truncate(line, TITLE_MAX, "codepoint").removesuffix("…")
    whole, _, broken = cut.rpartition(" ")
    # A word that is longer than the rest of the title is cut like a language without spaces.
    if whole and line[len(cut)] != " " and len(broken) <= len(whole):
        cut = whole
    return cut.rstrip(" ,;:.-–—") + "…"


class Threads:
    """The threads that this program opens and writes in."""

    def __init__(self, adapter: Adapter, chats: Chats, access: Access) -> None:
        self._adapter, self._chats, self._access = adapter, chats, access

    def checked_name(self, name: str) -> str:
        """Return a thread's name in one line, without secrets. Raises `Refused` if it is empty or too long."""
        most = self._adapter.limits.thread_name
        shown = self._shown(name)
        if not shown:
            raise Refused(f"the thread's name is empty; give it 1 to {most} characters")
        if len(shown) > most:
            raise Refused(f"the thread's name {name[:80]!r} has {len(name)} characters; {most} are allowed")
        return shown

    def _shown(self, name: str) -> str:
        # As long as any name that is refused, so that it is not cut here.
        return label(mask_secrets(redact(name)), self._adapter.limits.thread_name + 1)

    def find(self, chat_id: str, name: str) -> Place | None:
        """Return where the messages of a chat's newest thread of this name go; None if none is known.

        A person may have named it with what no name of ours has, such as two spaces, and events do not show it so.
        """
        return next((place for found, place in self._chats.threads_of(chat_id) if self._shown(found) == name), None)

    async def open(self, chat_id: str, name: str) -> Place:
        """Open a thread in a chat and return where its messages go. Raises `Refused` or `PlatformError`."""
        place, name = await self.create(chat_id, name), self.checked_name(name)
        if place.thread_id is not None:
            self._chats.name_thread(chat_id, place.thread_id, name)
        else:
            # A chat of its own, to which the rule of its parent applies.
            self._chats.record(Chat(place.chat_id, "group", name, chat_id), Person("", ""))
        return place

    async def create(self, chat_id: str, name: str) -> Place:
        """As `open`, for somebody else: nothing is recorded here."""
        name = self.checked_name(name)
        try:
            return await self._adapter.create_thread(chat_id, name)
        except (ThreadGone, Unsupported):
            raise
        except Rejected as error:
            where = self._adapter.capabilities.threads
            raise Rejected(
                str(error) if where in str(error) else f"{error}; threads can be opened in {where}"
            ) from error

    async def rename(self, place: Place, name: str) -> None:
        """Give a thread another name. Raises `Refused` or `PlatformError`."""
        name = self.checked_name(name)
        await self._adapter.rename_thread(place, name)
        if place.thread_id is not None:
            self._chats.name_thread(place.chat_id, place.thread_id, name)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send a message; to the chat itself if its thread is gone. Raises `PlatformError`."""
        try:
            return await self._adapter.send(outgoing)
        except ThreadGone as error:
            for message in self.instead(outgoing, error):
                sent = await self._adapter.send(message)
            return sent

    def instead(self, outgoing: Outgoing, error: ThreadGone) -> list[Outgoing]:
        """Return what to send to the chat itself instead of a message to a thread that is gone.

        Its first line says for which thread it was, if that is known; where there is no room for it, that is a message
        of its own, before it. Raises `error` if there is no such chat, or nothing may be sent there.
        """
        thread, chat_id = outgoing.thread_id, outgoing.chat_id
        if thread is not None:
            name = self._chats.thread_name(chat_id, thread)
        else:
            parent = self._chats.parent_of(chat_id)
            if parent is None or not self._access.is_target(parent[0]):
                raise error
            chat_id, name = parent
        moved = replace(outgoing, chat_id=chat_id, thread_id=None, reply_to=None)
        if not name:
            return [moved]
        line = translate("thread_gone", name=label(name, self._adapter.limits.thread_name))
        return self._with_first_line(moved, line)

    def _with_first_line(self, outgoing: Outgoing, line: str) -> list[Outgoing]:
        # As it is sent, which is not how it is written in the format.
        first = self._adapter.render(self._adapter.escape(line, outgoing.format), outgoing.format)[0]
        written = f"{first.text}\n\n"
        text = f"{written}{outgoing.text}" if outgoing.text else written.rstrip()
        limits = self._adapter.limits
        room = limits.caption if outgoing.file or outgoing.album else limits.text
        if length(text, limits.unit) > room:
            return [Outgoing(outgoing.chat_id, line, silent=True), outgoing]
        spans = tuple(
            span._replace(start=span.start + len(written), end=span.end + len(written)) for span in outgoing.spans
        )
        plain = None if outgoing.plain is None else f"{first.plain}\n\n{outgoing.plain}".rstrip()
        return [replace(outgoing, text=text, spans=spans, plain=plain, rich=None)]
