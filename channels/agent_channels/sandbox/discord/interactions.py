"""Interactions: taps, commands and submitted modals; answered within 3 seconds, followed up for 15 minutes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.discord.api_objects import channel_object, member_object
from agent_channels.sandbox.discord.commands import CommandRegistry
from agent_channels.sandbox.discord.components import checked_modal
from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, unknown
from agent_channels.sandbox.discord.message_form import EPHEMERAL, LOADING, message_fields
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import DiscordState, Ephemeral

__all__ = ["COMMAND", "COMPONENT", "REPLY", "SUBMIT", "UPDATE", "Interaction", "InteractionApi"]

# "Interaction Types" and "Interaction Callback Type"
COMMAND, COMPONENT, SUBMIT = 2, 3, 5
REPLY, DEFER, DEFER_UPDATE, UPDATE, MODAL = 4, 5, 6, 7, 9
# "Message Types"
CHAT_INPUT_COMMAND = 20
# "You must respond within 3 seconds"; "Interaction tokens are valid for 15 minutes"
ANSWER_WITHIN_S, TOKEN_VALID_S = 3.0, 15 * 60.0


@dataclass
class Interaction:
    """One interaction. `at` is on the sandbox's clock; `answer_type` is 0 until it is acknowledged.

    `original` is the message the answer sent or, after 6 and 7, the one that was tapped. `sent` lists the ids of the
    messages that the answer and the follow-ups sent, in order.
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
    sent: list[int] = field(default_factory=list)


class InteractionApi:
    """All interactions of one bot, and the routes that answer them."""

    def __init__(self, state: DiscordState) -> None:
        self.state = state
        self.by_token: dict[str, Interaction] = {}
        self.commands = CommandRegistry(state)
        self.route = Routes()
        self.route("POST /interactions/{interaction_id}/{token}/callback", token=False)(self.answer)
        self.route("POST /webhooks/{application_id}/{token}", token=False)(self.follow_up)
        path = "/webhooks/{application_id}/{token}/messages/{message_id}"
        self.route(f"GET {path}", token=False)(self.get)
        self.route(f"PATCH {path}", token=False)(self.edit)
        self.route(f"DELETE {path}", token=False)(self.delete)

    # --- made by people

    @property
    def latest(self) -> int:
        """The id of the newest interaction, 0 while there was none."""
        return next(reversed(self.by_token.values())).id if self.by_token else 0

    def start(
        self, kind: int, user: DiscordUser, channel: GuildChannel, message: Message | None, data: dict[str, Any]
    ) -> Interaction:
        """Create an interaction and dispatch it to the bot."""
        token = secrets.token_urlsafe(60)
        interaction = Interaction(self.state.ids(), token, kind, user, channel, message, data, self.state.now())
        self.by_token[token] = interaction
        payload = self._payload(interaction)
        self.state.dispatch("INTERACTION_CREATE", "", None, lambda _: payload)
        return interaction

    def _payload(self, interaction: Interaction) -> dict[str, Any]:
        channel, user, bot = interaction.channel, interaction.user, self.state.bot.id
        payload: dict[str, Any] = {"id": str(interaction.id), "application_id": str(bot), "type": interaction.kind}
        payload |= {"token": interaction.token, "version": 1, "data": interaction.data, "locale": "en-US"}
        payload |= {"channel_id": str(channel.id), "app_permissions": str(channel.permissions(bot))}
        payload |= {"entitlements": [], "attachment_size_limit": 10 << 20}
        shown_channel = channel_object(channel, bot)
        if interaction.message is not None:
            payload["message"] = self.state.render(channel, interaction.message)
        if channel.guild is None:
            # Observed: Discord sends the recipient of a direct chat only sometimes, so the sandbox leaves it out.
            shown_channel.pop("recipients", None)
            payload |= {"channel": shown_channel, "user": user.as_dict(), "context": 1}
            return {**payload, "authorizing_integration_owners": {"0": "0"}}
        guild = channel.guild
        permissions = str(channel.permissions(user.id))
        payload |= {"channel": {**shown_channel, "permissions": permissions}, "guild_id": str(guild.id), "context": 0}
        payload |= {"guild": {"id": str(guild.id), "locale": "en-US", "features": []}, "guild_locale": "en-US"}
        payload["authorizing_integration_owners"] = {"0": str(guild.id)}
        return {**payload, "member": {**member_object(guild, user), "permissions": permissions}}

    def failed(self, interaction: Interaction) -> bool:
        """Return True if the person sees "This interaction failed": there was no answer in time."""
        return interaction.answer_type == 0 and self.state.now() - interaction.at > ANSWER_WITHIN_S

    # --- answered by the bot

    def answer(self, request: Request) -> dict[str, Any] | None:
        """Take the first answer: 4 and 5 send, 6 leaves the message and 7 edits it, 9 opens a modal."""
        interaction = self.by_token.get(request.path["token"])
        if interaction is None or str(interaction.id) != request.path["interaction_id"] or self.failed(interaction):
            raise unknown(10062)
        if interaction.answer_type:
            raise refused(40060)
        kind = _answer_type(interaction, request.values.get("type"))
        data = request.values.get("data") or {}
        if kind == MODAL:
            errors = FormErrors()
            modal = checked_modal(data, errors)
            errors.check()
            interaction.modal = modal
        elif kind in {REPLY, DEFER}:
            self._send(interaction, request, data, loading=kind == DEFER)
        elif interaction.message is not None:
            if kind == UPDATE:
                self._edit(interaction.channel, interaction.message, request, data, prefix="data.")
            interaction.original = int(interaction.message["id"])
        interaction.answer_type = kind
        self.state.changed()
        return self._response(interaction) if request.query.get("with_response") in {"1", "true"} else None

    def _response(self, interaction: Interaction) -> dict[str, Any]:
        about: dict[str, Any] = {"id": str(interaction.id), "type": interaction.kind}
        resource: dict[str, Any] = {"type": interaction.answer_type}
        if interaction.original is not None:
            message = self._message(interaction, interaction.original)
            flags = message["flags"]
            about["response_message_id"] = str(interaction.original)
            about["response_message_loading"] = bool(flags & LOADING)
            about["response_message_ephemeral"] = bool(flags & EPHEMERAL)
            if interaction.answer_type != DEFER_UPDATE:
                resource["message"] = self.state.render(interaction.channel, message)
        return {"interaction": about, "resource": resource}

    def _send(self, interaction: Interaction, request: Request, data: Any, *, loading: bool = False) -> Message:
        """Send a message in answer: to the channel, or with the flag to the one person."""
        state, channel = self.state, interaction.channel
        first = interaction.answer_type == 0
        errors = FormErrors()
        values = errors.model(data, "data")
        flags = errors.number(values.get("flags"), "flags", 0, 1 << 31, 0)
        errors.check()
        if loading:
            fields: Message = {"flags": LOADING}
        else:
            fields = message_fields(state, channel, values, request.files, prefix="data." if first else "")
        ephemeral = bool(flags & EPHEMERAL)
        fields["flags"] = fields.get("flags", 0) | (EPHEMERAL if ephemeral else 0)
        fields |= self._origin_fields(interaction)
        if interaction.kind == COMMAND and first:
            about = {"id": str(interaction.id), "type": COMMAND, "name": interaction.data["name"]}
            fields |= {"type": CHAT_INPUT_COMMAND, "interaction": {**about, "user": interaction.user.as_dict()}}
        if ephemeral:
            message = state.draft(channel, state.bot, fields)
            state.ephemerals[int(message["id"])] = Ephemeral(message, channel, interaction.user.id)
            state.changed()
        else:
            message = state.post(channel, state.bot, fields)
        if interaction.original is None and first:
            interaction.original, interaction.ephemeral = int(message["id"]), ephemeral
        interaction.sent.append(int(message["id"]))
        return message

    def _origin_fields(self, interaction: Interaction) -> Message:
        bot, guild = str(self.state.bot.id), interaction.channel.guild
        about: dict[str, Any] = {"id": str(interaction.id), "type": interaction.kind}
        about |= {"user": interaction.user.as_dict()}
        about["authorizing_integration_owners"] = {"0": str(guild.id if guild else 0)}
        if interaction.kind == COMPONENT and interaction.message is not None:
            about["interacted_message_id"] = interaction.message["id"]
        if interaction.kind == SUBMIT:
            earlier = {"id": str(interaction.id), "type": COMPONENT, "user": interaction.user.as_dict()}
            about["triggering_interaction_metadata"] = {**earlier, "authorizing_integration_owners": {}}
        return {"webhook_id": bot, "application_id": bot, "interaction_metadata": about}

    def _edit(self, channel: GuildChannel, message: Message, request: Request, data: Any, prefix: str = "") -> None:
        errors = FormErrors()
        values = errors.model(data, "data")
        errors.check()
        fields = message_fields(self.state, channel, values, request.files, old=message, prefix=prefix)
        fields["flags"] = {**message, **fields}["flags"] & ~LOADING
        self.state.edit(channel, message, fields)

    # --- followed up by the bot

    def follow_up(self, request: Request) -> Message:
        """Send another message; the first one after a deferred answer replaces "is thinking"."""
        interaction = self._answered(request)
        if interaction.answer_type == DEFER and interaction.original is not None:
            deferred = self._message(interaction, interaction.original)
            if deferred["flags"] & LOADING:
                self._edit(interaction.channel, deferred, request, request.values)
                return self.state.render(interaction.channel, deferred)
        return self.state.render(interaction.channel, self._send(interaction, request, request.values))

    def get(self, request: Request) -> Message:
        """Return the answer, or a follow-up."""
        interaction, message = self._named(request)
        return self.state.render(interaction.channel, message)

    def edit(self, request: Request) -> Message:
        """Edit the answer, or a follow-up."""
        interaction, message = self._named(request)
        self._edit(interaction.channel, message, request, request.values)
        return self.state.render(interaction.channel, message)

    def delete(self, request: Request) -> None:
        """Delete the answer, or a follow-up."""
        interaction, message = self._named(request)
        number = int(message["id"])
        if self.state.ephemerals.pop(number, None) is None:
            self.state.delete(interaction.channel, number)
        self.state.changed()

    def _answered(self, request: Request) -> Interaction:
        """Return the interaction of a token that is still valid. Raises DiscordError 10015 or 50027."""
        interaction = self.by_token.get(request.path["token"])
        own = request.path["application_id"] == str(self.state.bot.id)
        if interaction is None or interaction.answer_type == 0 or not own:
            raise unknown(10015)
        if self.state.now() - interaction.at > TOKEN_VALID_S:
            raise DiscordError(401, 50027, "Invalid Webhook Token")
        return interaction

    def _named(self, request: Request) -> tuple[Interaction, Message]:
        """Return the interaction and the message that the path names. Raises DiscordError."""
        interaction = self._answered(request)
        name = request.path["message_id"]
        number = interaction.original if name == "@original" else request.path_id("message_id")
        if number is None or (number not in interaction.sent and number != interaction.original):
            raise unknown(10008)
        return interaction, self._message(interaction, number)

    def _message(self, interaction: Interaction, number: int) -> Message:
        if number in self.state.ephemerals:
            return self.state.ephemerals[number].message
        if number not in interaction.channel.messages:
            raise unknown(10008)
        return interaction.channel.messages[number]


def _answer_type(interaction: Interaction, value: Any) -> int:
    known = [REPLY, DEFER]
    if interaction.message is not None:
        known += [DEFER_UPDATE, UPDATE]
    if interaction.kind in {COMMAND, COMPONENT}:
        known.append(MODAL)
    errors = FormErrors()
    if value not in known:
        errors.choices("type", tuple(known))
    errors.check()
    return int(value)
