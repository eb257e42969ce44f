"""PDFs in a store that speaks S3: private there, and reached by links that are signed for some days."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent_channels.core.errors import ChannelError
from agent_channels.core.log import redact, register_secret
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.extras import S3
from agent_channels.recipes.yt2pdf.network import require_extra

__all__ = ["UploadFailed", "delete_uploads", "upload"]

DAY_S = 86_400
CONNECT_S, READ_S = 10, 60


class UploadFailed(ChannelError):
    """The store did not take the files, or gave no links."""


def upload(env: Environment, settings: Settings, video_id: str, paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Upload files; return their names in the store and the links to them. Raises `UploadFailed`, or `Refused`."""
    bucket, folder = _place(settings)
    keys = ["/".join(filter(None, (folder, video_id, path.name))) for path in paths]
    with _client(env, settings) as client:
        for key, path in zip(keys, paths, strict=True):
            with path.open("rb") as file:
                client.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=file,
                    ContentType="application/pdf",
                    ContentDisposition=f"inline; filename*=UTF-8''{quote(path.name, safe='')}",
                )
        seconds = int(settings.yt2pdf_s3_days * DAY_S)
        links = [
            client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds)
            for key in keys
        ]
    return keys, links


def delete_uploads(env: Environment, settings: Settings, keys: Sequence[str]) -> None:
    """Delete what was uploaded. Raises `UploadFailed`, or `Refused`."""
    bucket, _ = _place(settings)
    with _client(env, settings) as client:
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)


def _place(settings: Settings) -> tuple[str, str]:
    bucket, _, folder = (settings.yt2pdf_s3 or "").removeprefix("s3://").partition("/")
    return bucket, folder.strip("/")


@contextmanager
def _client(env: Environment, settings: Settings) -> Iterator[Any]:
    """Yield a client; what it raises becomes `UploadFailed`.

    Keys are those of the environment or of .env, else boto3 finds its own.
    """
    require_extra(S3)
    boto3 = importlib.import_module("boto3")
    config = importlib.import_module("botocore.config").Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"max_attempts": 2},
        signature_version="s3v4",
        # Other services than Amazon's know neither buckets as hosts nor its newer checksums.
        s3={"addressing_style": "path"} if settings.yt2pdf_s3_endpoint else {},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    secret = env.get("AWS_SECRET_ACCESS_KEY")
    if secret:
        register_secret(secret)
    exceptions = importlib.import_module("botocore.exceptions")
    try:
        client = boto3.client(
            "s3",
            endpoint_url=settings.yt2pdf_s3_endpoint,
            region_name=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
            aws_access_key_id=env.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=secret,
            aws_session_token=env.get("AWS_SESSION_TOKEN"),
            config=config,
        )
        with closing(client):
            yield client
    except (exceptions.BotoCoreError, exceptions.ClientError, OSError, ValueError) as error:
        raise UploadFailed(redact(str(error))) from error
