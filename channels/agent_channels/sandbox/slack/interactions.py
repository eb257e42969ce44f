"""What people do with the app itself: taps, menu choices, slash commands; answered within three seconds.

An envelope brings each to the app. Its trigger opens a modal for three seconds, its response URL takes five answers in
half an hour.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.slack.blocks import checked_attachments, checked_blocks
from agent_channels.sandbox.slack.elements import element_rows
from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.mrkdwn import normalized
from agent_channels.sandbox.slack.records import Conversation, Message, SlackUser, new_id, ts_key
from agent_channels.sandbox.slack.socket_mode import SocketMode
from agent_channels.sandbox.slack.state import SlackEphemeral, SlackState
from agent_channels.sandbox.slack.views import Views

__all__ = ["COMMAND", "COMPONENT", "SUBMIT", "AppInteraction", "AppInteractions"]

COMPONENT, COMMAND, SUBMIT, CLOSED = "block_actions", "slash_commands", "view_submission", "view_closed"
ANSWER_WITHIN_S, TRIGGER_VALID_S = 3.0, 3.0
RESPONSE_VALID_S, RESPONSES = 30 * 60.0, 5


@dataclass(eq=False)
class AppInteraction:
    """One interaction. `at` is on the sandbox's clock.

    `answered` is when the envelope was answered, with `answer`. `sent` lists the keys of the messages that came over
    its response URL or with the answer; `views` the ids of the modals it opened. `failed`: the person sees a warning.
    `delivered`: a socket was open to take it.
    """

    id: str
    kind: str
    user: SlackUser
    conversation: Conversation | None
    message: Message | None
    payload: dict[str, Any]
    at: float
    trigger_id: str
    response_token: str
    answered: float | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    responses: int = 0
    sent: list[int] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    delivered: bool = True

    @property
    def thread_ts(self) -> str:
        """The thread in which the message is that was tapped."""
        return str((self.message or {}).get("thread_ts", ""))


class AppInteractions:
    """All interactions of one app, oldest first."""

    def __init__(self, state: SlackState, socket: SocketMode) -> None:
        self.state = state
        self.socket = socket
        self.all: dict[str, AppInteraction] = {}
        self.root = ""
        self.views = Views(state, self.use_trigger)

    @property
    def latest(self) -> str:
        """The id of the newest interaction, "" while there was none."""
        return next(reversed(self.all), "")

    # --- made by people

    def act(
        self, user: SlackUser, conversation: Conversation, message: Message, action: dict[str, Any]
    ) -> AppInteraction:
        """Tap a button or choose in a menu of a message."""
        if not self.state.app.interactivity:
            raise ValueError("the app has no interactivity: nothing of it can be tapped")
        ephemeral = ts_key(message["ts"]) in self.state.ephemerals
        container: dict[str, Any] = {"type": "message", "message_ts": message["ts"], "channel_id": conversation.id}
        container["is_ephemeral"] = ephemeral
        if "thread_ts" in message:
            container["thread_ts"] = message["thread_ts"]
        payload = {**self._common(COMPONENT, user), "container": container}
        payload |= {
            "channel": {"id": conversation.id, "name": conversation.shown_name},
            "state": {"values": _state(message, action)},
        }
        if not ephemeral:
            payload["message"] = self.state.render(message)
        payload["actions"] = [{**action, "action_ts": self.state.ts()}]
        return self._start(COMPONENT, user, conversation, message, payload, with_response=True)

    def command(self, user: SlackUser, conversation: Conversation, name: str, text: str) -> AppInteraction:
        """Send a slash command. Raises LookupError for one that the app does not have."""
        if name not in self.state.app.commands or "commands" not in self.state.app.bot_scopes:
            known = ", ".join(sorted(self.state.app.commands))
            raise LookupError(f"{name} is not a command of the app; it has {known}")
        payload = {"token": self.state.app.verification_token, "team_id": self.state.team_id}
        payload |= {
            "team_domain": self.state.domain,
            "channel_id": conversation.id,
            "channel_name": conversation.shown_name,
        }
        payload |= {"user_id": user.id, "user_name": user.name, "command": name, "text": text}
        payload |= {"api_app_id": self.state.app.id, "is_enterprise_install": "false"}
        return self._start(COMMAND, user, conversation, None, payload, with_response=True)

    def submit(self, user: SlackUser, view: dict[str, Any], values: dict[str, Any]) -> AppInteraction:
        """Submit a modal with its values by block and action."""
        filled = {**view, "state": {"values": values}}
        payload = {**self._common(SUBMIT, user), "view": filled, "response_urls": []}
        interaction = self._start(SUBMIT, user, None, None, payload)
        interaction.views.append(view["id"])
        return interaction

    def close(self, user: SlackUser, view: dict[str, Any]) -> AppInteraction | None:
        """Close a modal without submitting it, which the app hears if it asked for that."""
        self.views.close(view["id"])
        if not view.get("notify_on_close"):
            return None
        payload = {**self._common(CLOSED, user), "view": view, "is_cleared": False}
        return self._start(CLOSED, user, None, None, payload)

    def failed(self, interaction: AppInteraction) -> bool:
        """Return True if the person sees a warning: there was no answer in time, or nobody to give one."""
        late = self.state.now() - interaction.at > ANSWER_WITHIN_S
        return interaction.answered is None and (late or not interaction.delivered)

    def _common(self, kind: str, user: SlackUser) -> dict[str, Any]:
        about = {"id": user.id, "username": user.name, "name": user.name, "team_id": self.state.team_id}
        payload: dict[str, Any] = {"type": kind, "user": about, "api_app_id": self.state.app.id}
        payload |= {"token": self.state.app.verification_token, "enterprise": None, "is_enterprise_install": False}
        return {**payload, "team": {"id": self.state.team_id, "domain": self.state.domain}}

    def _start(
        self,
        kind: str,
        user: SlackUser,
        conversation: Conversation | None,
        message: Message | None,
        payload: dict[str, Any],
        *,
        with_response: bool = False,
    ) -> AppInteraction:
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        token = secrets.token_urlsafe(24)
        payload["trigger_id"] = trigger_id
        if with_response:
            payload["response_url"] = f"{self.root}/response/{token}"
        made = AppInteraction(
            new_id("I"), kind, user, conversation, message, payload, self.state.now(), trigger_id, token
        )
        self.all[made.id] = made
        envelope = "slash_commands" if kind == COMMAND else "interactive"
        sent = self.socket.send(
            envelope, payload, accepts_payload=kind != COMPONENT, on_answer=lambda answer: self._on_answer(made, answer)
        )
        made.delivered = not sent.lost
        self.state.changed()
        return made

    # --- answered by the app

    def use_trigger(self, trigger_id: str) -> tuple[SlackUser, str]:
        """Return whose trigger it is, and the interaction's id; each can be used once, for three seconds.

        Raises SlackError.
        """
        made = next((one for one in self.all.values() if one.trigger_id == trigger_id), None)
        if made is None:
            raise SlackError("invalid_trigger_id")
        if self.state.now() - made.at > TRIGGER_VALID_S:
            raise SlackError("expired_trigger_id")
        if made.views and made.kind != SUBMIT:
            raise SlackError("exchanged_trigger_id")
        return made.user, made.id

    def opened(self, interaction_id: str, view_id: str) -> None:
        """Record that an interaction opened a modal."""
        self.all[interaction_id].views.append(view_id)

    def _on_answer(self, interaction: AppInteraction, answer: Any) -> None:
        if self.failed(interaction):
            return
        interaction.answered = self.state.now()
        interaction.answer = answer if isinstance(answer, dict) else {}
        if interaction.kind == SUBMIT:
            self.views.on_submitted(interaction.views[0], interaction.answer)
        elif interaction.kind == COMMAND and interaction.answer:
            self._send(interaction, interaction.answer)

    def respond(self, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take what the app posts to a response URL; return the status and the JSON of the answer."""
        interaction = next((one for one in self.all.values() if one.response_token == token), None)
        if interaction is None or interaction.conversation is None:
            return 404, {"ok": False, "error": "no_active_hooks"}
        if self.state.now() - interaction.at > RESPONSE_VALID_S:
            return 404, {"ok": False, "error": "expired_url"}
        if interaction.responses >= RESPONSES:
            return 404, {"ok": False, "error": "used_url"}
        try:
            self._send(interaction, body)
        except SlackError as refusal:
            return 400, refusal.payload()
        interaction.responses += 1
        self.state.changed()
        return 200, {"ok": True}

    def _send(self, interaction: AppInteraction, body: dict[str, Any]) -> None:
        """Send, replace or delete a message. Raises SlackError."""
        conversation = interaction.conversation
        assert conversation is not None  # noqa: S101 - commands and taps have one
        tapped = interaction.message
        if body.get("delete_original"):
            if tapped is not None and self.state.ephemerals.pop(ts_key(tapped["ts"]), None) is None:
                self.state.delete(conversation, tapped)
            return
        fields = _fields(body)
        if body.get("replace_original") and tapped is not None:
            gone = {name: None for name in ("blocks", "attachments") if not fields.get(name)}
            if ts_key(tapped["ts"]) in self.state.ephemerals:
                tapped |= fields
                for name in gone:
                    tapped.pop(name, None)
                return
            self.state.edit(conversation, tapped, {**gone, **fields}, self.state.bot)
            return
        if thread_ts := body.get("thread_ts") or (interaction.thread_ts if tapped is not None else ""):
            fields["thread_ts"] = thread_ts
        if body.get("response_type") == "in_channel":
            message = self.state.post(conversation, self.state.bot, fields)
        else:
            message = self.state.draft(self.state.bot, {**fields, "is_ephemeral": True})
            ephemeral = SlackEphemeral(message, conversation, interaction.user.id)
            self.state.ephemerals[ts_key(message["ts"])] = ephemeral
        interaction.sent.append(ts_key(message["ts"]))


def _state(message: Message, action: dict[str, Any]) -> dict[str, Any]:
    """Return what is chosen in each menu of a message, by block and action."""
    values: dict[str, Any] = {}
    for row in element_rows(message):
        for element in row:
            if element["type"] != "static_select":
                continue
            acted = (element["block_id"], element["action_id"]) == (action["block_id"], action["action_id"])
            chosen = action.get("selected_option") if acted else element.get("initial_option")
            held = {"type": element["type"], "selected_option": chosen}
            values.setdefault(element["block_id"], {})[element["action_id"]] = held
    return values


def _fields(body: dict[str, Any]) -> Message:
    fields: Message = {}
    for name, check in (("blocks", checked_blocks), ("attachments", checked_attachments)):
        value = body.get(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise SlackError("invalid_blocks_format") from None
        if value:
            fields[name] = check(value)
    if body.get("text") is not None:
        fields["text"] = normalized(str(body["text"]))
    if not any(fields.values()):
        raise SlackError("no_text")
    return fields
