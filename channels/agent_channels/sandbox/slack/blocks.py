"""Block Kit: what Slack accepts in messages and modals.

Limits are those of "Reference: blocks" and "Reference: block elements"; wording is that of the API's answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.slack.elements import options_of
from agent_channels.sandbox.slack.errors import BlockErrors, SlackError

__all__ = ["checked_attachments", "checked_blocks", "checked_view"]

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
MARKDOWN_TOTAL = 12_000
# Not documented, but answered to more than this in all blocks together.
BLOCKS_TOTAL = 13_200
BOTH = ("plain_text", "mrkdwn")
PLAIN = ("plain_text",)

# The elements that an actions block, a section and an input may hold.
MENUS = ("static_select", "multi_static_select", "users_select", "conversations_select", "channels_select")
PICKERS = ("overflow", "datepicker", "timepicker", "radio_buttons", "checkboxes")
IN_ACTIONS = ("button", *MENUS, *PICKERS)
IN_INPUT = ("plain_text_input", "email_text_input", "url_text_input", "number_input", *MENUS, *PICKERS[1:])

FIELDS = {
    "section": "text fields accessory expand",
    "header": "text level",
    "divider": "",
    "context": "elements",
    "actions": "elements",
    "image": "image_url slack_file alt_text title",
    "input": "label element hint optional dispatch_action",
    "rich_text": "elements",
    "table": "rows column_settings",
    "markdown": "text",
}
REQUIRED = {
    "header": "text",
    "context": "elements",
    "actions": "elements",
    "image": "alt_text",
    "input": "label element",
    "rich_text": "elements",
    "table": "rows",
    "markdown": "text",
}
ELEMENT_FIELDS = {
    "button": "text url value style confirm accessibility_label",
    "static_select": "placeholder options option_groups initial_option confirm focus_on_load",
    "multi_static_select": (
        "placeholder options option_groups initial_options confirm focus_on_load max_selected_items"
    ),
    "overflow": "options confirm",
    "radio_buttons": "options initial_option confirm focus_on_load",
    "checkboxes": "options initial_options confirm focus_on_load",
    "plain_text_input": (
        "initial_value multiline min_length max_length dispatch_action_config placeholder focus_on_load"
    ),
}
INLINE = ("text", "link", "emoji", "user", "channel", "usergroup", "broadcast", "date", "color", "team")


def checked_blocks(values: Any, *, error: str = "invalid_blocks") -> list[dict[str, Any]]:
    """Return a message's blocks with ids for those that have none. Raises SlackError."""
    if not isinstance(values, list):
        raise SlackError("invalid_blocks_format")
    checker = _BlockChecker(message=True)
    made = checker.blocks(values, "/blocks", MESSAGE_BLOCKS)
    checker.errors.check(error)
    if checker.tables > 1:
        raise SlackError("invalid_attachments", errors=["only_one_table_allowed"])
    if checker.length > BLOCKS_TOTAL:
        raise SlackError("msg_blocks_too_long")
    return made


def checked_attachments(values: Any) -> list[dict[str, Any]]:
    """Return a message's attachments with their blocks checked. Raises SlackError."""
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise SlackError("invalid_attachments")
    if len(values) > 100:
        raise SlackError("too_many_attachments")
    checker = _BlockChecker(message=True)
    made = []
    for at, one in enumerate(values):
        blocks = {"blocks": checker.blocks(one["blocks"], f"/attachments/{at}/blocks", 50)} if "blocks" in one else {}
        made.append({"id": at + 1, "fallback": "[no preview available]", **one, **blocks})
    checker.errors.check("invalid_attachments")
    if checker.tables > 1:
        raise SlackError("invalid_attachments", errors=["only_one_table_allowed"])
    return made


def checked_view(value: Any) -> dict[str, Any]:
    """Return a modal's view with ids for the blocks that have none. Raises SlackError."""
    checker = _BlockChecker(message=False)
    errors = checker.errors
    if not isinstance(value, dict):
        raise SlackError("invalid_arguments", response_metadata={"messages": ["[ERROR] must be a valid view"]})
    if value.get("type") != "modal":
        errors.add("/view/type", "must be a valid enum value")
    if "title" not in value:
        errors.missing("/view", "title")
    for name in ("title", "submit", "close"):
        if name in value:
            checker.text_object(value[name], f"/view/{name}", PLAIN, 24)
    for name, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        checker.string(value.get(name), f"/view/{name}", most)
    if "blocks" not in value:
        errors.missing("/view", "blocks")
    blocks = checker.blocks(value.get("blocks", []), "/view/blocks", VIEW_BLOCKS)
    if "submit" not in value and any(block.get("type") == "input" for block in blocks):
        errors.missing("/view", "submit")
    errors.check("invalid_arguments")
    return {**value, "blocks": blocks}


class _BlockChecker:
    """Checks one set of blocks. `length` counts the characters of all texts, `tables` the tables."""

    def __init__(self, *, message: bool) -> None:
        self.errors = BlockErrors()
        self.length = 0
        self.tables = 0
        self._message = message
        self._markdown = 0
        self._block_ids: set[str] = set()
        self._action_ids: set[str] = set()
        self._of_type: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "section": self._section,
            "header": self._header,
            "context": self._context,
            "actions": self._actions,
            "image": self._image,
            "input": self._input,
            "rich_text": self._rich_text,
            "table": self._table,
            "markdown": self._markdown_block,
        }

    # --- blocks

    def blocks(self, values: Any, pointer: str, most: int) -> list[dict[str, Any]]:
        """Return the blocks with ids."""
        found = self.items(values, pointer, 0, most)
        return [self._block(one, f"{pointer}/{at}") for at, one in enumerate(found)]

    def _block(self, value: Any, pointer: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.errors.add(pointer, "must be an object")
            return {}
        kind = value.get("type")
        if kind is None:
            self.errors.missing(pointer, "type")
            return {}
        if kind not in FIELDS or (not self._message and kind in {"table", "markdown"}):
            self.errors.add(f"{pointer}/type", f"unsupported type: {kind}")
            return {}
        self._fields(value, pointer, {"type", "block_id", *FIELDS[kind].split()}, REQUIRED.get(kind, ""))
        self.string(value.get("block_id"), f"{pointer}/block_id", 255)
        block_id = value.get("block_id") or secrets.token_urlsafe(4)[:5]
        if block_id in self._block_ids:
            self.errors.add(f"{pointer}/block_id", f'`block_id` "{block_id}" already exists')
        self._block_ids.add(block_id)
        self._action_ids.clear()
        check = self._of_type.get(kind)
        return {**value, **(check(value, pointer) if check else {}), "block_id": block_id}

    def _section(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        if "text" not in value and "fields" not in value:
            self.errors.missing(pointer, "text")
        if "text" in value:
            self.text_object(value["text"], f"{pointer}/text", BOTH, 3000)
        for at, one in enumerate(self.items(value.get("fields", []), f"{pointer}/fields", 0, 10)):
            self.text_object(one, f"{pointer}/fields/{at}", BOTH, 2000)
        if "accessory" not in value:
            return {}
        return {"accessory": self._element(value["accessory"], f"{pointer}/accessory", (*IN_ACTIONS, "image"))}

    def _header(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        self.text_object(value.get("text"), f"{pointer}/text", PLAIN, 150)
        return {}

    def _context(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        for at, one in enumerate(self.items(value.get("elements"), f"{pointer}/elements", 1, 10)):
            if isinstance(one, dict) and one.get("type") == "image":
                self._image(one, f"{pointer}/elements/{at}")
            else:
                self.text_object(one, f"{pointer}/elements/{at}", BOTH, 3000)
        return {}

    def _actions(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        elements = self.items(value.get("elements"), f"{pointer}/elements", 1, 25)
        made = [self._element(one, f"{pointer}/elements/{at}", IN_ACTIONS) for at, one in enumerate(elements)]
        return {"elements": made}

    def _image(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        if "image_url" not in value and "slack_file" not in value:
            self.errors.missing(pointer, "image_url")
        self.string(value.get("image_url"), f"{pointer}/image_url", 3000)
        self.string(value.get("alt_text"), f"{pointer}/alt_text", 2000)
        if "title" in value:
            self.text_object(value["title"], f"{pointer}/title", PLAIN, 2000)
        return {}

    def _input(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        self.text_object(value.get("label"), f"{pointer}/label", PLAIN, 2000)
        if "hint" in value:
            self.text_object(value["hint"], f"{pointer}/hint", PLAIN, 2000)
        return {"element": self._element(value.get("element"), f"{pointer}/element", IN_INPUT)}

    def _markdown_block(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        text = value.get("text")
        self.string(text, f"{pointer}/text", MARKDOWN_TOTAL, least=1)
        self._markdown += len(text) if isinstance(text, str) else 0
        if self._markdown > MARKDOWN_TOTAL and not self.errors.problems:
            self.errors.add(f"{pointer}/text", f"must be less than {MARKDOWN_TOTAL + 1} characters")
        return {}

    def _table(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        self.tables += 1
        for at, row in enumerate(self.items(value.get("rows"), f"{pointer}/rows", 1, 100)):
            for col, cell in enumerate(self.items(row, f"{pointer}/rows/{at}", 1, 20)):
                self._cell(cell, f"{pointer}/rows/{at}/{col}")
        for at, one in enumerate(self.items(value.get("column_settings", []), f"{pointer}/column_settings", 0, 20)):
            if isinstance(one, dict) and one.get("align", "left") not in {"left", "center", "right"}:
                self.errors.add(f"{pointer}/column_settings/{at}/align", "must be a valid enum value")
        return {}

    def _cell(self, cell: Any, pointer: str) -> None:
        kind = cell.get("type") if isinstance(cell, dict) else None
        if kind == "raw_text":
            self.string(cell.get("text"), f"{pointer}/text", 3000, least=1)
        elif kind == "rich_text":
            self._rich_text(cell, pointer)
        else:
            self.errors.add(f"{pointer}/type", f"unsupported type: {kind}")

    # --- rich text

    def _rich_text(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        for at, one in enumerate(self.items(value.get("elements"), f"{pointer}/elements", 0, 1000)):
            self._rich_part(one, f"{pointer}/elements/{at}")
        return {}

    def _rich_part(self, value: Any, pointer: str) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}:
            self.errors.add(f"{pointer}/type", f"unsupported type: {kind}")
            return
        elements = self.items(value.get("elements"), f"{pointer}/elements", 0, 1000)
        if kind == "rich_text_list":
            if value.get("style") not in {"bullet", "ordered"}:
                self.errors.add(f"{pointer}/style", "must be a valid enum value")
            if not 0 <= int(value.get("indent", 0)) <= 8:
                self.errors.add(f"{pointer}/indent", "must be less than 9")
            for at, one in enumerate(elements):
                self._rich_part(one, f"{pointer}/elements/{at}")
            return
        allowed = ("text", "link") if kind == "rich_text_preformatted" else INLINE
        for at, one in enumerate(elements):
            self._inline(one, f"{pointer}/elements/{at}", allowed)

    def _inline(self, value: Any, pointer: str, allowed: tuple[str, ...]) -> None:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind not in allowed:
            self.errors.add(f"{pointer}/type", f"unsupported type: {kind}")
            return
        name = {"text": "text", "link": "url", "emoji": "name", "user": "user_id", "channel": "channel_id"}.get(kind)
        if name is None:
            return
        if name not in value:
            self.errors.missing(pointer, name)
        self.string(value.get(name), f"{pointer}/{name}", 40_000, least=1)
        unknown = set(value.get("style") or {}) - {
            "bold",
            "italic",
            "strike",
            "code",
            "underline",
            "highlight",
            "unlink",
        }
        for one in sorted(unknown):
            self.errors.add(f"{pointer}/style", f"invalid additional property: {one}")

    # --- elements

    def _element(self, value: Any, pointer: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in allowed:
            self.errors.add(f"{pointer}/type", f"unsupported type: {kind}")
            return {}
        if kind == "image":
            return {**value, **self._image(value, pointer)}
        known = ELEMENT_FIELDS.get(kind)
        if known is not None:
            self._fields(value, pointer, {"type", "action_id", *known.split()}, "")
        self.string(value.get("action_id"), f"{pointer}/action_id", 255, least=1)
        action_id = value.get("action_id") or secrets.token_urlsafe(4)[:5]
        if action_id in self._action_ids:
            text = f'`action_id` "{action_id}" already exists for another element in this block'
            self.errors.add(f"{pointer}/action_id", text)
        self._action_ids.add(action_id)
        if kind == "button":
            self._button(value, pointer)
        elif "options" in ELEMENT_FIELDS.get(kind, "").split():
            self._menu(value, pointer, kind)
        elif kind == "plain_text_input":
            self._text_input(value, pointer)
        if "confirm" in value:
            self._confirm(value["confirm"], f"{pointer}/confirm")
        return {**value, "action_id": action_id}

    def _button(self, value: dict[str, Any], pointer: str) -> None:
        if "text" not in value:
            self.errors.missing(pointer, "text")
        else:
            self.text_object(value["text"], f"{pointer}/text", PLAIN, 75)
        self.string(value.get("value"), f"{pointer}/value", 2000)
        self.string(value.get("url"), f"{pointer}/url", 3000)
        self.string(value.get("accessibility_label"), f"{pointer}/accessibility_label", 75)
        if value.get("style", "primary") not in {"primary", "danger"}:
            self.errors.add(f"{pointer}/style", "must be a valid enum value")

    def _menu(self, value: dict[str, Any], pointer: str, kind: str) -> None:
        if "placeholder" in value:
            self.text_object(value["placeholder"], f"{pointer}/placeholder", PLAIN, 150)
        if "options" not in value and "option_groups" not in value:
            self.errors.missing(pointer, "options")
        most = {"overflow": 5, "radio_buttons": 10, "checkboxes": 10}.get(kind, 100)
        if "options" in value:
            self._options(value["options"], f"{pointer}/options", most)
        for at, group in enumerate(self.items(value.get("option_groups", []), f"{pointer}/option_groups", 0, 100)):
            place = f"{pointer}/option_groups/{at}"
            if isinstance(group, dict):
                self.text_object(group.get("label"), f"{place}/label", PLAIN, 75)
                self._options(group.get("options"), f"{place}/options", 100)
        initial = value.get("initial_option")
        if initial is not None and initial not in options_of(value):
            self.errors.add(f"{pointer}/initial_option", "must match an option in options")

    def _options(self, values: Any, pointer: str, most: int) -> None:
        for at, one in enumerate(self.items(values, pointer, 1, most)):
            if not isinstance(one, dict):
                self.errors.add(f"{pointer}/{at}", "must be an object")
                continue
            self._fields(one, f"{pointer}/{at}", {"text", "value", "description", "url"}, "text")
            self.text_object(one.get("text"), f"{pointer}/{at}/text", BOTH, 75)
            self.string(one.get("value"), f"{pointer}/{at}/value", 150)
            if "description" in one:
                self.text_object(one["description"], f"{pointer}/{at}/description", BOTH, 75)

    def _text_input(self, value: dict[str, Any], pointer: str) -> None:
        if "placeholder" in value:
            self.text_object(value["placeholder"], f"{pointer}/placeholder", PLAIN, 150)
        self.string(value.get("initial_value"), f"{pointer}/initial_value", 3000)
        for name, low in (("min_length", 0), ("max_length", 1)):
            number = value.get(name, low)
            if not isinstance(number, int) or not low <= number <= 3000:
                self.errors.add(f"{pointer}/{name}", f"must be between {low} and 3000")

    def _confirm(self, value: Any, pointer: str) -> None:
        if not isinstance(value, dict):
            self.errors.add(pointer, "must be an object")
            return
        self._fields(value, pointer, {"title", "text", "confirm", "deny", "style"}, "")
        for name, kinds, most in (
            ("title", PLAIN, 100),
            ("text", BOTH, 300),
            ("confirm", PLAIN, 30),
            ("deny", PLAIN, 30),
        ):
            if name in value:
                self.text_object(value[name], f"{pointer}/{name}", kinds, most)
        if value.get("style", "primary") not in {"primary", "danger"}:
            self.errors.add(f"{pointer}/style", "must be a valid enum value")

    # --- values

    def _fields(self, value: dict[str, Any], pointer: str, allowed: set[str], required: str) -> None:
        for name in sorted(set(value) - allowed):
            self.errors.add(pointer, f"invalid additional property: {name}")
        for name in required.split():
            if name not in value:
                self.errors.missing(pointer, name)

    def items(self, value: Any, pointer: str, low: int, high: int) -> list[Any]:
        """Return a list of `low` to `high` items, [] for anything else."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.errors.add(pointer, "must be an array")
            return []
        if len(value) > high:
            self.errors.add(pointer, f"no more than {high} items allowed")
        if len(value) < low:
            self.errors.add(pointer, f"no less than {low} items allowed")
        return value[:high]

    def string(self, value: Any, pointer: str, most: int, *, least: int = 0) -> bool:
        """Return True for a text of `least` to `most` characters, or none."""
        if value is None:
            return True
        before = len(self.errors.problems)
        if not isinstance(value, str):
            self.errors.add(pointer, "must be a string")
        elif len(value) > most:
            self.errors.add(pointer, f"must be less than {most + 1} characters")
        elif len(value) < least:
            self.errors.add(pointer, f"must be more than {least - 1} characters")
        else:
            self.length += len(value)
        return len(self.errors.problems) == before

    def text_object(self, value: Any, pointer: str, kinds: tuple[str, ...], most: int) -> None:
        """Check a text object of one of these kinds, with 1 to `most` characters."""
        if value is None:
            return
        inner = _BlockChecker(message=self._message)
        if not isinstance(value, dict):
            inner.errors.add(pointer, "must be an object")
        elif value.get("type") not in kinds:
            inner.errors.add(f"{pointer}/type", "must be a valid enum value")
        elif "text" not in value:
            inner.errors.missing(pointer, "text")
        else:
            extra = {"emoji"} if value["type"] == "plain_text" else {"verbatim"}
            inner._fields(value, pointer, {"type", "text", *extra}, "")
            inner.string(value["text"], f"{pointer}/text", most, least=1)
        if inner.errors.problems and len(kinds) > 1:
            # Where several kinds are allowed, none of which matched, Slack says that first.
            self.errors.add(pointer, "failed to match all allowed schemas")
        self.errors.problems += inner.errors.problems
        self.length += inner.length
