"""A Slack conversation as the chat page draws it: plain values of what people see there."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.page.scene import SceneChat
from agent_channels.sandbox.page.slack_text import Names, as_entities, plain_text, rich_blocks, rich_mrkdwn
from agent_channels.sandbox.slack.elements import element_rows, inputs, label_of, options_of
from agent_channels.sandbox.slack.emoji import CHARACTERS
from agent_channels.sandbox.slack.records import Conversation, Message, SlackUser
from agent_channels.sandbox.slack.sandbox import SlackSandbox

__all__ = ["chat_view", "file_data", "form"]

NEWEST = 160
TYPING_S = 10.0
QUOTED, THREAD_NAME = 120, 40


def chat_view(slack: SlackSandbox, chat: SceneChat) -> dict[str, Any]:
    """Return {messages, typing, topics}: the newest messages of a conversation and its threads, oldest first, and where
    the app shows that it works.

    An ephemeral message has the handle of its reader in `only`. A message of a thread has the thread's id in `topic`;
    the one that began it is there twice, in the conversation too. `topics` is None while there are no threads, else
    {list, creates}: the threads, oldest first; they begin with a reply, so nothing is created beside.
    """
    conversation = slack.state.conversations[chat.chat_id]
    names = _names(slack)
    made: list[tuple[str, dict[str, Any]]] = []
    threads: list[dict[str, Any]] = []
    for message in slack.state.current_messages(conversation)[-NEWEST:]:
        shown = _message(slack, message, names)
        thread_ts = message.get("thread_ts", "")
        if message.get("reply_count"):
            name = plain_text(message["text"], names)[:THREAD_NAME] or "Thread"
            threads.append({"id": message["ts"], "name": name, "icon": "#"})
            made.append((message["ts"], {**shown, "topic": message["ts"]}))
            shown["opens"] = {"id": message["ts"], "name": name}
        if thread_ts in {"", message["ts"]} or message.get("subtype") == "thread_broadcast":
            made.append((message["ts"], {**shown, "topic": ""}))
        if thread_ts not in {"", message["ts"]}:
            made.append((message["ts"], {**shown, "topic": thread_ts}))
    for ephemeral in slack.state.ephemerals.values():
        if ephemeral.conversation is conversation:
            shown = _message(slack, slack.state.render(ephemeral.message), names)
            shown["only"] = slack.state.users[ephemeral.user_id].name
            made.append((ephemeral.message["ts"], {**shown, "topic": ephemeral.message.get("thread_ts", "")}))
    messages = [shown for _, shown in sorted(made, key=lambda one: one[0])]
    topics = {"list": threads, "creates": None} if threads else None
    return {"messages": messages, "typing": _typing(slack, conversation), "topics": topics}


def file_data(slack: SlackSandbox, file_id: str) -> bytes | None:
    """Return the bytes of a file, None for an unknown id."""
    stored = slack.state.files.by_id.get(file_id)
    return stored.data if stored else None


def form(view: dict[str, Any], errors: dict[str, str]) -> dict[str, Any]:
    """Return a modal as the page draws forms; `errors` is what the app found wrong, by block id."""
    fields = []
    for block, element in inputs(view):
        wrong = f" ({errors[block['block_id']]})" if block["block_id"] in errors else ""
        field = {"custom_id": element["action_id"], "label": block["label"]["text"] + wrong}
        field |= {"style": 2 if element.get("multiline") else 1, "max_length": element.get("max_length") or 3000}
        fields.append({**field, "required": not block.get("optional")})
    said = [block["text"]["text"] for block in view["blocks"] if block["type"] == "section" and "text" in block]
    return {"title": view["title"]["text"], "words": "\n".join(said), "components": [{"components": fields}]}


def _typing(slack: SlackSandbox, conversation: Conversation) -> list[str]:
    """Return the threads in which the app shows that it works."""
    latest = {thread_ts: (at, text) for at, thread_ts, text in conversation.statuses}
    now = slack.state.now()
    return [thread_ts for thread_ts, (at, text) in latest.items() if text and now - at < TYPING_S]


def _message(slack: SlackSandbox, message: Message, names: Names) -> dict[str, Any]:
    author = slack.state.users.get(message.get("user", ""))
    rows = element_rows(message)
    blocks = [
        *message.get("blocks", ()),
        *(one for held in message.get("attachments", ()) for one in held.get("blocks", ())),
    ]
    drawn = rich_blocks(blocks, names) if blocks else rich_mrkdwn(message["text"], names)
    if "files" in message and not blocks:
        drawn = rich_mrkdwn(message["text"], names)
    made: dict[str, Any] = {
        "id": message["ts"],
        "by": author.name if author else message.get("username", ""),
        "name": _name(slack, author) if author else message.get("username", "Slack"),
        "bot": author is None or bool(author.bot_id),
        "at": float(message["ts"]),
        "text": "",
        "edited": "edited" in message,
        "files": [_file(file) for file in message.get("files", ())],
        "grid": _grid(rows),
        "menus": [
            _menu(element) for row in rows for element in row if element["type"] in {"static_select", "overflow"}
        ],
        "reactions": [_emoji(one["name"]) for one in message.get("reactions", ()) for _ in range(one["count"])],
        "service": _service(slack, message, author),
    }
    if [one["type"] for one in drawn] == ["paragraph"]:
        made["text"], made["entities"] = as_entities(drawn[0]["text"])
    elif drawn:
        made["rich"] = {"blocks": drawn}
    if made["bot"]:
        # A pairing code, where there is one, is what the bot formats as code.
        made["code"] = _code(drawn)
    return made


def _service(slack: SlackSandbox, message: Message, author: SlackUser | None) -> str:
    name = _name(slack, author) if author else ""
    match message.get("subtype"):
        case "channel_join":
            return f"{name} joined"
        case "channel_leave":
            return f"{name} left"
        case "tombstone":
            return "The message of this thread is gone."
    return ""


def _names(slack: SlackSandbox) -> dict[str, str]:
    names = {user.id: _name(slack, user) for user in slack.state.users.values()}
    return names | {one.id: one.name for one in slack.state.conversations.values() if one.name}


def _name(slack: SlackSandbox, user: SlackUser) -> str:
    return "Your agent" if user is slack.state.bot else user.real_name


def _file(file: dict[str, Any]) -> dict[str, Any]:
    made = {"name": file["name"], "size": file["size"], "url": f"file/slack/{file['id']}"}
    if file["mimetype"].startswith("image/"):
        made |= {"picture": True, "width": file.get("original_w"), "height": file.get("original_h")}
    return made


def _grid(rows: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return the buttons of each block; one with a menu stays, empty: buttons are tapped by block and place in it."""
    return [[_button(element) for element in row if element["type"] == "button"] for row in rows]


def _button(button: dict[str, Any]) -> dict[str, Any]:
    url = None if button.get("value") else button.get("url")
    return {"label": label_of(button), "style": button.get("style"), "url": url, "disabled": False}


def _menu(menu: dict[str, Any]) -> dict[str, Any]:
    options = [{"label": label_of(option), "value": option["value"]} for option in options_of(menu)]
    placeholder = menu.get("placeholder", {}).get("text") or "Choose"
    return {"id": menu["action_id"], "placeholder": placeholder, "options": options}


def _emoji(name: str) -> str:
    return CHARACTERS.get(name.partition("::")[0], f":{name}:")


def _code(node: Any) -> str | None:
    """Return the first piece of code in a tree."""
    if isinstance(node, list):
        return next(filter(None, map(_code, node)), None)
    if not isinstance(node, dict):
        return None
    if node.get("type") == "code":
        text = node["text"]
        return "".join(map(str, text)) if isinstance(text, list) else str(text)
    return _code(node.get("text")) or _code(node.get("blocks"))
