"""Files over HTTP: a download becomes a new private file, whole or not at all; an upload has a name that can travel."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from agent_channels.core.errors import Refused, Rejected
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.log import redact
from agent_channels.core.text.sanitize import scrub

if TYPE_CHECKING:
    import aiohttp

__all__ = ["CHUNK", "check_size", "response_body", "save", "upload_name"]

CHUNK = 64 * 1024


def check_size(size: int | None, limit: int) -> None:
    """Raise `Refused` when a file was announced with more than `limit` bytes. None: no size was announced."""
    if size is not None and size > limit:
        raise Refused(
            sentence(
                "the file has {size:,} bytes; at most {limit:,} are downloaded. Ask for a smaller file",
                size=size,
                limit=limit,
            )
        )


async def save(chunks: AsyncGenerator[bytes], target: Path, limit: int) -> int:
    """Write `chunks` to the new file `target`, which only its owner can read; return its size in bytes.

    Raises `FileExistsError` when `target` exists, `Refused` above `limit` bytes (the announced size is not believed),
    `Rejected` for an empty file, and whatever `chunks` raises. Then no partial file is left.
    """
    async with aclosing(chunks):
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                return await _write(chunks, file, limit)
        except BaseException:
            target.unlink(missing_ok=True)  # noqa: ASYNC240 - one call on a local file
            raise


async def _write(chunks: AsyncGenerator[bytes], file: BinaryIO, limit: int) -> int:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Refused(
                sentence(
                    "the file has more than {limit:,} bytes, the most that is downloaded. Ask for a smaller file",
                    limit=limit,
                )
            )
        file.write(chunk)
    if size == 0:
        raise Rejected(sentence("the platform handed out an empty file; ask the sender to send it again"))
    return size


async def response_body(
    get: Callable[[], AbstractAsyncContextManager[aiohttp.ClientResponse]],
    translated: Callable[[], AbstractContextManager[None]],
    platform: str,
) -> AsyncGenerator[bytes]:
    """Yield what a GET answers, for `save`.

    `translated` turns the errors of the connection into ours; `platform` is the platform's name in messages. Raises
    `Rejected` for any status but 200.
    """
    # Only the connection's errors pass through here: those of the file being written are raised outside.
    with translated():
        async with get() as response:
            if response.status != 200:
                raise Rejected(
                    sentence(
                        "{platform} does not hand out the file (HTTP {status}); try again later",
                        platform=platform,
                        status=response.status,
                    )
                )
            async for chunk in response.content.iter_chunked(CHUNK):
                yield chunk


def upload_name(name: str) -> str:
    """Return a file's name as it is sent: on one line, without the characters that no HTTP header can hold."""
    return redact(scrub(name).replace("\n", " "))
