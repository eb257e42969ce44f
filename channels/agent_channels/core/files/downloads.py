"""Files that an event is shown with: pictures, and voice notes that are to be written down. Beside everything else."""

from __future__ import annotations

import contextlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Attachment
from agent_channels.core.errors import ChannelError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.files.transcribe import Transcriber
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.events import VOICE
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.offers import Entry
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Wakeup
from agent_channels.core.text.sanitize import content, label

__all__ = ["Downloads"]

logger = logging.getLogger(__name__)
DOWNLOADS = 4
# However slowly a file trickles in, its message is shown after this.
PATIENCE_S = 300.0


@dataclass(slots=True)
class _Got:
    """What came of an entry's files. `paths` by file id; `faults`: wording key and reason, in order."""

    paths: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


class Downloads:
    """Downloads beside the delivery: a slow file holds nothing up but its own message."""

    def __init__(
        self, adapter: Adapter, inbox: Inbox, files: Files, opened: Wakeup, group: TaskGroup, transcriber: Transcriber
    ) -> None:
        self._adapter, self._inbox, self._files, self._opened, self._group = adapter, inbox, files, opened, group
        self._transcriber = transcriber
        self._running: set[int] = set()
        self._slots = anyio.Semaphore(DOWNLOADS)

    def start(self) -> None:
        """Starts with every entry that is not being worked on yet."""
        for entry in self._inbox.fetching():
            if entry.id not in self._running:
                self._running.add(entry.id)
                self._group.start_soon(self._fetch, entry)

    async def _fetch(self, entry: Entry) -> None:
        got = _Got()
        try:
            async with anyio.create_task_group() as group:
                for file in entry.fetch:
                    group.start_soon(self._one, file, got)
            self._inbox.fetched(entry, *_shown(entry, got))
            with contextlib.suppress(OSError):
                self._files.prune({*self._inbox.open_files(), *got.paths.values()})
        except StoreError as error:
            # Still to be fetched, and is at the next start.
            logger.warning("the files of entry %s are not noted: %s", entry.delivery_id, error)
        finally:
            self._running.discard(entry.id)
        self._opened.set()

    async def _one(self, file: Attachment, got: _Got) -> None:
        spoken = file.kind == VOICE
        try:
            async with self._slots:
                got.paths[file.file_id] = path = await self._download(file)
        except Exception as error:  # noqa: BLE001 - one file must never hold up everything else
            self._failed(got, "voice_not_downloaded" if spoken else "picture_not_downloaded", error)
            return
        if spoken:
            try:
                got.words[file.file_id] = await self._transcriber.text(path)
            except Exception as error:  # noqa: BLE001 - as above
                self._failed(got, "voice_not_transcribed", error)

    @staticmethod
    def _failed(got: _Got, key: str, error: Exception) -> None:
        said = str(error) if isinstance(error, ChannelError | TimeoutError) else repr(error)
        reason = label(redact(said), 200)
        logger.warning("%s", translate(key, count=1, reason=reason))
        got.faults.append((key, reason))

    async def _download(self, file: Attachment) -> str:
        target = self._files.target(file)
        try:
            with anyio.fail_after(PATIENCE_S):
                await self._adapter.download(file, target, self._adapter.limits.download)
        except TimeoutError as error:
            raise TimeoutError(f"it did not arrive whole within {PATIENCE_S:.0f} s") from error
        return str(target)


def _shown(entry: Entry, got: _Got) -> tuple[str, dict[str, str]]:
    """The content and meta of an entry with what came of its files."""
    meta = dict(entry.meta)
    pictures = [got.paths[file.file_id] for file in entry.fetch if file.file_id in got.paths and file.kind != VOICE]
    if pictures:
        meta["image_path"] = pictures[0]
    if "attachments" in meta:
        listed = [{**file, **_path(file, got)} for file in json.loads(meta["attachments"])]
        meta["attachments"] = json.dumps(listed, ensure_ascii=False)
    lines = [entry.content] if entry.content else []
    for file in entry.fetch:
        if file.file_id in got.words:
            lines.append(translate("transcript", text=got.words[file.file_id]))
            meta["transcript"] = "true"
    for (key, reason), count in Counter(got.faults).items():
        lines.append(translate(key if count == 1 else f"{key}_many", count=count, reason=reason))
    return content("\n".join(lines)), meta


def _path(file: dict[str, object], got: _Got) -> dict[str, str]:
    path = got.paths.get(str(file["file_id"]))
    return {"path": path} if path else {}
