"""The tools' arguments: each model is the schema an agent sees and the value a handler gets."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

__all__ = [
    "AskArguments",
    "ButtonArgument",
    "DownloadArguments",
    "EditArguments",
    "FetchArguments",
    "NoArguments",
    "ReactArguments",
    "ReplyArguments",
    "WaitArguments",
]


def _to_id(value: object) -> object:
    # Some clients send ids as numbers; a boolean is a mistake even though it is one in Python.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _to_array(value: object) -> object:
    # Some clients send an array as its JSON text.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


Id = Annotated[str, BeforeValidator(_to_id), Field(min_length=1, max_length=64), WithJsonSchema({"type": "string"})]
Format = Annotated[
    str, Field(description="markdown (default), text, or the platform's own: see the tool's description", max_length=32)
]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ButtonArgument(_Arguments):
    """A button with more than a label."""

    label: str
    value: str | None = Field(None, description="what comes back as button_value; default: the label")
    style: Literal["primary", "secondary", "success", "danger"] | None = None
    url: str | None = Field(None, description="opens a page instead of coming back as a tap")


Buttons = Annotated[
    list[list[str | ButtonArgument]] | None,
    BeforeValidator(_to_array),
    Field(description='rows of labels, [["Yes","No"],["Later"]], or of {label, value?, style?, url?}'),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string"},
                                "value": {"type": "string"},
                                "style": {"enum": ["primary", "secondary", "success", "danger"]},
                                "url": {"type": "string"},
                            },
                            "required": ["label"],
                            "additionalProperties": False,
                        },
                    ]
                },
            },
            "description": 'rows of labels, [["Yes","No"],["Later"]], or of {label, value?, style?, url?}',
        }
    ),
]


class ReplyArguments(_Arguments):
    """Arguments of `reply`."""

    chat_id: Id
    text: str = Field("", max_length=200_000)
    reply_to: Id | None = Field(None, description="message_id to quote")
    files: Annotated[list[str], BeforeValidator(_to_array)] = Field([], description="paths of files", max_length=10)
    format: Format = ""
    buttons: Buttons = None
    thread_id: Id | None = None
    silent: bool = Field(False, description="without a sound")  # noqa: FBT003
    as_file: bool | Literal["auto"] = Field(
        False,  # noqa: FBT003
        description="true: the text goes as a file under a short head; auto: where it is very long",
    )
    idempotency_key: str | None = Field(None, max_length=200, description="same key, same arguments: sent once")
    tappers: Annotated[list[Id] | None, BeforeValidator(_to_array)] = Field(
        None, description="user_ids who may tap; default: everybody allowed in the chat"
    )


class ReactArguments(_Arguments):
    """Arguments of `react`."""

    chat_id: Id
    message_id: Id
    emoji: str = Field(max_length=32, description="one emoji; empty removes the reaction")


class EditArguments(_Arguments):
    """Arguments of `edit_message`."""

    chat_id: Id
    message_id: Id
    text: str = Field(max_length=200_000)
    format: Format = ""
    buttons: Buttons = Field(None, description="a new grid; [] takes the grid away; left out, an open grid stays")


class DownloadArguments(_Arguments):
    """Arguments of `download_attachment`."""

    chat_id: Id
    message_id: Id | None = None
    file_id: str | None = Field(None, max_length=512, description="one file, as named in attachments")


class AskArguments(_Arguments):
    """Arguments of `ask`."""

    chat_id: Id
    text: str = Field(min_length=1, max_length=200_000)
    buttons: Buttons
    timeout_s: float = Field(300, ge=1, le=3600, description="seconds to wait for the answer")
    multi: bool = Field(False, description="several choices, then Done")  # noqa: FBT003
    other: bool = Field(False, description="free text is an answer too")  # noqa: FBT003
    format: Format = ""
    thread_id: Id | None = None
    tappers: Annotated[list[Id] | None, BeforeValidator(_to_array)] = Field(
        None, description="user_ids who may answer; default: everybody allowed in the chat"
    )


class WaitArguments(_Arguments):
    """Arguments of `wait_for_messages`."""

    # Several clients give up on a request after 60 s.
    timeout_s: float = Field(45, ge=0, le=1500, description="seconds to wait; 0 only looks")
    limit: int = Field(20, ge=1, le=200, description="how many at most")
    ack: Annotated[list[Id], BeforeValidator(_to_array)] = Field(
        [], description="delivery_ids that need no answer: they are done"
    )


class FetchArguments(_Arguments):
    """Arguments of `fetch_messages`."""

    chat_id: Id
    limit: int = Field(20, ge=1, le=100, description="how many at most")
    before: Id | None = Field(None, description="a message_id, or `older` of the last result: what was said before it")
    query: str = Field("", max_length=500, description="only messages with all of these words")


class NoArguments(_Arguments):
    """No arguments."""
