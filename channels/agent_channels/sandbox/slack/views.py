"""Modals: opened with a trigger, changed, submitted, and closed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.slack.blocks import checked_view
from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.records import SlackUser, new_id
from agent_channels.sandbox.slack.request import MethodCall, Methods
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["Views"]

VIEW_BYTES = 250_000
MOST_VIEWS = 3


class Views:
    """The modals of one app: `open` holds each person's stack by user id, the last one on top.

    `errors` maps a view's id to what the app found wrong with its inputs, by block id.
    """

    def __init__(self, state: SlackState, use_trigger: Callable[[str], tuple[SlackUser, str]]) -> None:
        """`use_trigger` returns whose trigger it is and its interaction's id, or raises SlackError."""
        self.state = state
        self.by_id: dict[str, dict[str, Any]] = {}
        self.open: dict[str, list[str]] = {}
        self.errors: dict[str, dict[str, str]] = {}
        self.on_open: Callable[[str, str], None] = lambda _interaction, _view: None
        self._use_trigger = use_trigger
        self.method = Methods()
        self.method("views.open")(self.open_view)
        self.method("views.push")(self.push_view)
        self.method("views.update")(self.update_view)

    def top(self, user_id: str) -> dict[str, Any] | None:
        """Return the topmost modal that a person has open."""
        stack = self.open.get(user_id)
        return self.by_id[stack[-1]] if stack else None

    def close(self, view_id: str) -> None:
        """Close a modal for everyone who has it open."""
        for stack in self.open.values():
            if view_id in stack:
                stack.remove(view_id)
        self.state.changed()

    # --- methods

    def open_view(self, request: MethodCall) -> dict[str, Any]:
        """Open a modal."""
        return self._show(request, push=False)

    def push_view(self, request: MethodCall) -> dict[str, Any]:
        """Put a modal on top of the person's one."""
        return self._show(request, push=True)

    def update_view(self, request: MethodCall) -> dict[str, Any]:
        """Change a modal."""
        wanted = request.text("view_id")
        external_id = request.text("external_id")
        if not wanted and not external_id:
            raise SlackError("not_found")
        found = next((one for one in self.by_id.values() if external_id and one["external_id"] == external_id), None)
        found = self.by_id.get(wanted) if wanted else found
        if found is None or not any(found["id"] in stack for stack in self.open.values()):
            raise SlackError("not_found")
        if request.text("hash") and request.text("hash") != found["hash"]:
            raise SlackError("hash_conflict")
        return {"view": self._replace(found, self._checked(request, except_id=found["id"]))}

    def on_submitted(self, view_id: str, answer: dict[str, Any]) -> None:
        """Do what the app answered to a submitted modal: close it, or what `response_action` says."""
        view, action = self.by_id[view_id], answer.get("response_action")
        self.errors.pop(view_id, None)
        if action == "errors":
            self.errors[view_id] = dict(answer.get("errors") or {})
        elif action == "update":
            self._replace(view, checked_view(answer.get("view")))
        elif action == "push":
            user_id = next(user for user, stack in self.open.items() if view_id in stack)
            self.open[user_id].append(self._add(checked_view(answer.get("view")), view["root_view_id"]))
        elif action == "clear":
            for stack in self.open.values():
                if view_id in stack:
                    stack.clear()
        else:
            self.close(view_id)
        self.state.changed()

    # --- inside

    def _show(self, request: MethodCall, *, push: bool) -> dict[str, Any]:
        view = self._checked(request)
        user, interaction_id = self._use_trigger(request.required("trigger_id"))
        stack = self.open.setdefault(user.id, [])
        if push and len(stack) >= MOST_VIEWS:
            raise SlackError("push_limit_reached")
        root = self.by_id[stack[0]]["id"] if push and stack else ""
        view_id = self._add(view, root)
        if not push:
            stack.clear()
        stack.append(view_id)
        self.on_open(interaction_id, view_id)
        self.state.changed()
        return {"view": dict(self.by_id[view_id])}

    def _checked(self, request: MethodCall, except_id: str = "") -> dict[str, Any]:
        value = request.json("view", "invalid_arguments")
        if value is None:
            raise SlackError(
                "invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: view"]}
            )
        if len(str(value).encode()) > VIEW_BYTES:
            raise SlackError("view_too_large")
        view = checked_view(value)
        external_id = view.get("external_id")
        known = (one for one in self.by_id.values() if one["id"] != except_id)
        if external_id and any(one["external_id"] == external_id for one in known):
            raise SlackError("duplicate_external_id")
        return view

    def _add(self, view: dict[str, Any], root: str) -> str:
        view_id = new_id("V")
        self.by_id[view_id] = self._complete({**view, "id": view_id, "root_view_id": root or view_id})
        return view_id

    def _replace(self, old: dict[str, Any], view: dict[str, Any]) -> dict[str, Any]:
        kept = {"id": old["id"], "root_view_id": old["root_view_id"]}
        self.by_id[old["id"]] = self._complete({**view, **kept})
        self.state.changed()
        return dict(self.by_id[old["id"]])

    def _complete(self, view: dict[str, Any]) -> dict[str, Any]:
        defaults: dict[str, Any] = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None}
        defaults |= {"close": None, "clear_on_close": False, "notify_on_close": False, "previous_view_id": None}
        about = {"team_id": self.state.team_id, "app_id": self.state.app.id, "bot_id": self.state.bot.bot_id}
        about |= {"hash": f"{self.state.ts()}.{secrets.token_hex(4)}", "app_installed_team_id": self.state.team_id}
        return {**defaults, **view, "state": {"values": {}}, **about}
