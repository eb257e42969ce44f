"""The methods about the app itself and people."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.request import MethodCall, Methods

__all__ = ["method"]

method = Methods()


@method("auth.test")
def auth_test(request: MethodCall) -> dict[str, Any]:
    """Say whose token it is."""
    state = request.state
    about = {"url": f"https://{state.domain}.slack.com/", "team": state.team_name, "user": state.bot.name}
    about |= {"team_id": state.team_id, "user_id": state.bot.id, "bot_id": state.bot.bot_id}
    return {**about, "is_enterprise_install": False}


@method("bots.info", "users:read", takes_json=False)
def bots_info(request: MethodCall) -> dict[str, Any]:
    """Return a bot."""
    bot_id = request.text("bot")
    found = next((one for one in request.state.users.values() if one.bot_id == bot_id), None)
    if found is None or not bot_id:
        raise SlackError("bot_not_found")
    return {"bot": {**request.state.bot_profile(found), "user_id": found.id}}


@method("users.info", "users:read", takes_json=False)
def users_info(request: MethodCall) -> dict[str, Any]:
    """Return a user."""
    found = request.state.users.get(request.text("user"))
    if found is None:
        raise SlackError("user_not_found")
    return {"user": found.as_dict()}


@method("team.info", "team:read", takes_json=False)
def team_info(request: MethodCall) -> dict[str, Any]:
    """Return the workspace."""
    state = request.state
    return {"team": {"id": state.team_id, "name": state.team_name, "domain": state.domain, "icon": {}}}


@method("emoji.list", "emoji:read", takes_json=False)
def emoji_list(request: MethodCall) -> dict[str, Any]:
    """Return the workspace's own emoji."""
    return {"emoji": dict(request.state.emoji), "cache_ts": request.state.ts()}


@method("api.test")
def api_test(request: MethodCall) -> dict[str, Any]:
    """Return the arguments."""
    if error := request.text("error"):
        raise SlackError(error, args=request.values)
    return {"args": request.values}
