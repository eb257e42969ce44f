"""Downloads of the files that the agent gets with a message: pictures, and voice notes to transcribe."""

from __future__ import annotations

import contextlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Attachment
from agent_channels.core.errors import ChannelError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.files.transcribe import Transcriber
from agent_channels.core.i18n.messages import localized, translate
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.journal.entry import FILE_LISTS, Entry, replied_files
from agent_channels.core.journal.events import VOICE
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.text.sanitize import content, label

__all__ = ["Downloads"]

logger = logging.getLogger(__name__)
PARALLEL_DOWNLOADS = 4
# A message waits no longer than this for a file, however slowly it arrives.
TIMEOUT_S = 300.0


@dataclass(slots=True)
class _Results:
    """The files of one inbox entry: paths and transcripts by file id, and (sentence key, reason) of each failure."""

    paths: dict[str, str] = field(default_factory=dict)
    transcripts: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)


class Downloads:
    """Downloads in the background, so that a slow file delays only its own message."""

    def __init__(
        self, adapter: Adapter, inbox: Inbox, files: Files, wakeups: Wakeups, transcriber: Transcriber
    ) -> None:
        self._adapter, self._inbox, self._files, self._wakeups = adapter, inbox, files, wakeups
        self._transcriber = transcriber
        self._running: set[int] = set()
        self._slots = anyio.Semaphore(PARALLEL_DOWNLOADS)

    async def run(self) -> None:
        """Fetch the files of every entry that waits for some, until cancelled; those of a dead process come first."""
        async with anyio.create_task_group() as group:
            while True:
                try:
                    for entry in self._inbox.fetching():
                        if entry.id not in self._running:
                            self._running.add(entry.id)
                            group.start_soon(self._fetch_entry, entry)
                except StoreError as error:
                    logger.warning("files are downloaded later: %s", error)
                await self._wakeups.download_due.wait()

    async def _fetch_entry(self, entry: Entry) -> None:
        results = _Results()
        try:
            # Until they are recorded, nothing else knows that these files are needed.
            with contextlib.ExitStack() as reserved:
                async with anyio.create_task_group() as group:
                    for file in entry.files_to_fetch:
                        group.start_soon(self._fetch_file, file, results, reserved)
                self._inbox.fetched(entry, *_completed(entry, results))
        except StoreError as error:
            # The entry keeps waiting for its files, so the next start tries again.
            logger.warning("the files of entry %s could not be recorded: %s", entry.delivery_id, error)
        finally:
            self._running.discard(entry.id)
        self._wakeups.ready.set()

    async def _fetch_file(self, file: Attachment, results: _Results, reserved: contextlib.ExitStack) -> None:
        voice = file.kind == VOICE
        try:
            async with self._slots:
                results.paths[file.file_id] = path = await self._download(file, reserved)
        except Exception as error:  # noqa: BLE001 - the message is delivered without the file
            self._record_failure(results, "voice_not_downloaded" if voice else "picture_not_downloaded", error)
            return
        if voice:
            try:
                results.transcripts[file.file_id] = await self._transcriber.transcribe(path)
            except Exception as error:  # noqa: BLE001 - as above, without the transcript
                self._record_failure(results, "voice_not_transcribed", error)

    @staticmethod
    def _record_failure(results: _Results, key: str, error: Exception) -> None:
        # Our own errors are sentences; of any other one, the type says more than the text.
        reason = words_of(error) if isinstance(error, ChannelError | TimeoutError) else redact(repr(error))
        logger.warning("%s: %s", key.replace("_", " "), label(reason, 200))
        results.failures.append((key, label(localized(reason), 200)))

    async def _download(self, file: Attachment, reserved: contextlib.ExitStack) -> str:
        reservation = self._files.reserve(file, self._adapter.limits.download, self._inbox.open_files())
        path, limit = reserved.enter_context(reservation)
        try:
            with anyio.fail_after(TIMEOUT_S):
                await self._adapter.download(file, path, limit)
        except TimeoutError as error:
            raise TimeoutError(sentence("it did not arrive within {seconds:.0f} s", seconds=TIMEOUT_S)) from error
        return str(path)


def _completed(entry: Entry, results: _Results) -> tuple[str, dict[str, str]]:
    """Return the entry's content and meta, completed by the paths, transcripts and failures of its files."""
    meta = dict(entry.meta)
    pictures = [
        results.paths[file.file_id]
        for file in entry.files_to_fetch
        if file.file_id in results.paths and file.kind != VOICE
    ]
    if pictures:
        meta["image_path"] = pictures[0]
    for key in FILE_LISTS:
        if key in meta:
            attachments = json.loads(meta[key])
            for attachment in attachments:
                if path := results.paths.get(str(attachment["file_id"])):
                    attachment["path"] = path
            meta[key] = json.dumps(attachments, ensure_ascii=False)
    lines = [entry.content] if entry.content else []
    replied = {file.file_id for file in replied_files(entry.meta)}
    for file in entry.files_to_fetch:
        text = results.transcripts.get(file.file_id)
        if text is None:
            continue
        if file.file_id in replied:
            lines.append(translate("transcript_replied", text=text))
        else:
            lines.append(translate("transcript", text=text))
            meta["transcript"] = "true"
    for (key, reason), count in Counter(results.failures).items():
        lines.append(translate(key if count == 1 else f"{key}_many", count=count, reason=reason))
    return content("\n".join(lines)), meta
