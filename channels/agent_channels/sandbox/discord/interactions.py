"""Interactions: taps, choices and submitted modals, answered within three seconds, followed up for a quarter hour."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.discord.api_objects import channel_dict, member_dict
from agent_channels.sandbox.discord.commands import CommandRegistry
from agent_channels.sandbox.discord.components import checked_modal
from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, unknown
from agent_channels.sandbox.discord.message_form import EPHEMERAL, LOADING, message_form
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import DiscordState, Ephemeral

__all__ = ["ACK_S", "COMMAND", "COMPONENT", "SUBMIT", "Interaction", "InteractionApi"]

# "Interaction Types" and "Interaction Callback Type"
COMMAND, COMPONENT, SUBMIT = 2, 3, 5
# "Message Types"
CHAT_INPUT_COMMAND = 20
REPLY, DEFER, DEFER_UPDATE, UPDATE, MODAL = 4, 5, 6, 7, 9
# "You must respond within 3 seconds"; "Interaction tokens are valid for 15 minutes"
ACK_S, TOKEN_S = 3.0, 15 * 60.0


@dataclass
class Interaction:
    """One interaction. `at` on the sandbox's clock; `answer_type` 0 until it is acknowledged.

    `original` is the message the answer made or, after 6 and 7, the one that was tapped; `shown` are the ids of the
    messages the answer and the follow-ups made, in order.
    """

    id: int
    token: str
    kind: int
    user: DiscordUser
    channel: GuildChannel
    message: Message | None
    data: dict[str, Any]
    at: float
    answer_type: int = 0
    ephemeral: bool = False
    modal: dict[str, Any] | None = None
    original: int | None = None
    shown: list[int] = field(default_factory=list)


class InteractionApi:
    """All interactions of one bot, and the routes that answer them."""

    def __init__(self, state: DiscordState) -> None:
        self.state = state
        self.by_token: dict[str, Interaction] = {}
        self.commands = CommandRegistry(state)
        self.route = Routes()
        self.route("POST /interactions/{interaction_id}/{token}/callback", token=False)(self.callback)
        self.route("POST /webhooks/{application_id}/{token}", token=False)(self.follow_up)
        one = "/webhooks/{application_id}/{token}/messages/{message_id}"
        self.route(f"GET {one}", token=False)(self.get)
        self.route(f"PATCH {one}", token=False)(self.edit)
        self.route(f"DELETE {one}", token=False)(self.delete)

    # --- made by people

    @property
    def latest(self) -> int:
        """The id of the newest interaction, 0 when there was none."""
        return next(reversed(self.by_token.values())).id if self.by_token else 0

    def start(
        self, kind: int, user: DiscordUser, channel: GuildChannel, message: Message | None, data: dict[str, Any]
    ) -> Interaction:
        """Tells the bot of a new interaction."""
        state = self.state
        made = Interaction(state.ids(), secrets.token_urlsafe(60), kind, user, channel, message, data, state.now())
        self.by_token[made.token] = made
        payload = self._payload(made)
        state.tell("INTERACTION_CREATE", "", None, lambda _: payload)
        return made

    def _payload(self, one: Interaction) -> dict[str, Any]:
        state, channel, bot = self.state, one.channel, self.state.bot.id
        made: dict[str, Any] = {"id": str(one.id), "application_id": str(bot), "type": one.kind, "token": one.token}
        made |= {"version": 1, "data": one.data, "channel_id": str(channel.id), "locale": "en-US"}
        made |= {
            "entitlements": [],
            "app_permissions": str(channel.permissions(bot)),
            "attachment_size_limit": 10 << 20,
        }
        place = channel_dict(channel, bot)
        if one.message is not None:
            made["message"] = render(state, channel, one.message)
        if channel.guild is None:
            # FIELD: the recipient of a direct chat is there only sometimes; here it is not
            place.pop("recipients", None)
            owners = {"0": "0"}
            return {
                **made,
                "channel": place,
                "user": one.user.as_dict(),
                "context": 1,
                "authorizing_integration_owners": owners,
            }
        guild = channel.guild
        permissions = str(channel.permissions(one.user.id))
        made |= {"channel": {**place, "permissions": permissions}, "guild_id": str(guild.id), "context": 0}
        made |= {"guild": {"id": str(guild.id), "locale": "en-US", "features": []}, "guild_locale": "en-US"}
        made["authorizing_integration_owners"] = {"0": str(guild.id)}
        return {**made, "member": {**member_dict(guild, one.user), "permissions": permissions}}

    def failed(self, one: Interaction) -> bool:
        """Whether the person reads "This interaction failed": nobody answered in time."""
        return one.answer_type == 0 and self.state.now() - one.at > ACK_S

    # --- answered by the bot

    def callback(self, request: Request) -> dict[str, Any] | None:
        """The first answer: 4 and 5 send, 6 and 7 leave or edit the message, 9 opens a modal."""
        one = self.by_token.get(request.path["token"])
        if one is None or str(one.id) != request.path["interaction_id"] or self.failed(one):
            raise unknown(10062)
        if one.answer_type:
            raise refused(40060)
        kind = self._kind(one, request.values.get("type"))
        data = request.values.get("data") or {}
        if kind == MODAL:
            problems = FormErrors()
            modal = checked_modal(data, problems)
            problems.check()
            one.modal = modal
        elif kind in {REPLY, DEFER}:
            self._send(one, request, data, loading=kind == DEFER)
        elif one.message is not None:
            if kind == UPDATE:
                self._change(one.channel, one.message, request, data, prefix="data.")
            one.original = int(one.message["id"])
        one.answer_type = kind
        self.state.changed()
        return self._told(one) if request.query.get("with_response") in {"1", "true"} else None

    def _kind(self, one: Interaction, value: Any) -> int:
        known = [REPLY, DEFER]
        if one.message is not None:
            known += [DEFER_UPDATE, UPDATE]
        if one.kind in {COMMAND, COMPONENT}:
            known.append(MODAL)
        problems = FormErrors()
        if value not in known:
            problems.choices("type", tuple(known))
        problems.check()
        return int(value)

    def _told(self, one: Interaction) -> dict[str, Any]:
        about: dict[str, Any] = {"id": str(one.id), "type": one.kind}
        resource: dict[str, Any] = {"type": one.answer_type}
        if one.original is not None:
            message = self._message(one, one.original)
            flags = message["flags"]
            about |= {"response_message_id": str(one.original), "response_message_loading": bool(flags & LOADING)}
            about["response_message_ephemeral"] = bool(flags & EPHEMERAL)
            if one.answer_type != DEFER_UPDATE:
                resource["message"] = render(self.state, one.channel, message)
        return {"interaction": about, "resource": resource}

    def _send(self, one: Interaction, request: Request, data: Any, *, loading: bool = False) -> Message:
        """A message of the bot's in answer: for everybody, or for the one person if the flag says so."""
        state = self.state
        problems = FormErrors()
        values = problems.model(data, "data")
        flags = problems.number(values.get("flags"), "flags", 0, 1 << 31, 0)
        problems.check()
        if loading:
            fields: Message = {"flags": LOADING}
        else:
            prefix = "data." if one.answer_type == 0 else ""
            fields, pings = message_form(state, one.channel, values, request.files, prefix=prefix)
            fields |= pings.fields(state, one.channel, state.bot.id, fields["content"])
        hidden = bool(flags & EPHEMERAL)
        fields["flags"] = fields.get("flags", 0) | (EPHEMERAL if hidden else 0)
        fields |= self._origin(one)
        if one.kind == COMMAND and one.answer_type == 0:
            name = {"name": one.data["name"], "user": one.user.as_dict()}
            fields |= {"type": CHAT_INPUT_COMMAND, "interaction": {"id": str(one.id), "type": COMMAND, **name}}
        if hidden:
            message = state.draft(one.channel, state.bot, fields)
            state.ephemerals[int(message["id"])] = Ephemeral(message, one.channel, one.user.id)
            state.changed()
        else:
            message = state.post(one.channel, state.bot, fields)
        if one.original is None and one.answer_type == 0:
            one.original, one.ephemeral = int(message["id"]), hidden
        one.shown.append(int(message["id"]))
        return message

    def _origin(self, one: Interaction) -> Message:
        bot = str(self.state.bot.id)
        about: dict[str, Any] = {"id": str(one.id), "type": one.kind, "user": one.user.as_dict()}
        about["authorizing_integration_owners"] = {"0": str(one.channel.guild.id if one.channel.guild else 0)}
        if one.kind == COMPONENT and one.message is not None:
            about["interacted_message_id"] = one.message["id"]
        if one.kind == SUBMIT:
            earlier = {"id": str(one.id), "type": COMPONENT, "user": one.user.as_dict()}
            about["triggering_interaction_metadata"] = {**earlier, "authorizing_integration_owners": {}}
        return {"webhook_id": bot, "application_id": bot, "interaction_metadata": about}

    def _change(self, channel: GuildChannel, message: Message, request: Request, data: Any, prefix: str = "") -> None:
        problems = FormErrors()
        values = problems.model(data, "data")
        problems.check()
        fields, pings = message_form(self.state, channel, values, request.files, old=message, prefix=prefix)
        if "content" in fields:
            fields |= pings.fields(self.state, channel, self.state.bot.id, fields["content"])
        fields["flags"] = {**message, **fields}["flags"] & ~LOADING
        self.state.edit(channel, message, fields)

    # --- followed up by the bot

    def _answered(self, request: Request) -> Interaction:
        """The interaction of a token that may still be used. Raises DiscordError 10015 or 50027."""
        one = self.by_token.get(request.path["token"])
        if one is None or one.answer_type == 0 or request.path["application_id"] != str(self.state.bot.id):
            raise unknown(10015)
        if self.state.now() - one.at > TOKEN_S:
            raise DiscordError(401, 50027, "Invalid Webhook Token")
        return one

    def _named(self, request: Request) -> tuple[Interaction, Message]:
        one = self._answered(request)
        name = request.path["message_id"]
        number = one.original if name == "@original" else request.ident("message_id")
        if number is None or (number not in one.shown and number != one.original):
            raise unknown(10008)
        return one, self._message(one, number)

    def _message(self, one: Interaction, number: int) -> Message:
        if number in self.state.ephemerals:
            return self.state.ephemerals[number].message
        if number not in one.channel.messages:
            raise unknown(10008)
        return one.channel.messages[number]

    def follow_up(self, request: Request) -> Message:
        """Another message; the first one after a deferred answer takes the place of "is thinking"."""
        one = self._answered(request)
        if one.answer_type == DEFER and one.original is not None:
            waiting = self._message(one, one.original)
            if waiting["flags"] & LOADING:
                self._change(one.channel, waiting, request, request.values)
                return render(self.state, one.channel, waiting)
        return render(self.state, one.channel, self._send(one, request, request.values))

    def get(self, request: Request) -> Message:
        """The answer, or a follow-up."""
        one, message = self._named(request)
        return render(self.state, one.channel, message)

    def edit(self, request: Request) -> Message:
        """Edits the answer, or a follow-up."""
        one, message = self._named(request)
        self._change(one.channel, message, request, request.values)
        return render(self.state, one.channel, message)

    def delete(self, request: Request) -> None:
        """Deletes the answer, or a follow-up."""
        one, message = self._named(request)
        number = int(message["id"])
        if self.state.ephemerals.pop(number, None) is None:
            self.state.delete(one.channel, number)
        self.state.changed()
