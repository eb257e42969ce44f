"""What people see of the projects that share a bot: lists, buttons and sentences. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.routes import HUB_BUTTON, RouteTarget, RoutingFacts, group_of
from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.sanitize import label

__all__ = [
    "HubButton",
    "away_text",
    "bound_project",
    "find_project",
    "is_open_to_all",
    "keyboard",
    "name_of",
    "names",
    "place_words",
    "project_list",
    "shown_in",
    "start_failed_text",
    "start_keyboard",
    "start_offer_text",
]

ANSWER, USE, HERE, NEW, START, LATER = "answer", "use", "here", "new", "start", "later"
NAMED_MAX = 20


@frozen
class HubButton:
    """A button that the hub answers itself: what a tap on it does, with which project."""

    action: str
    project: str

    @property
    def data(self) -> str:
        """What the button carries on the platform: at most 20 bytes."""
        return f"{HUB_BUTTON}{self.action}:{self.project}"

    @classmethod
    def of(cls, data: str) -> HubButton | None:
        """Return the button with this data; None if no such button was ever made."""
        action, _, project = data.removeprefix(HUB_BUTTON).partition(":")
        return cls(action, project) if action in {ANSWER, USE, HERE, NEW, START, LATER} and project else None


def name_of(members: Sequence[ProjectMember], project: str) -> str:
    """Return the name of a project for people; its id if it has left."""
    return label(next((member.name for member in members if member.project == project), project))


def names(members: Sequence[ProjectMember]) -> str:
    """Return the names of projects in one line."""
    more = "…" if len(members) > NAMED_MAX else ""
    return ", ".join(label(member.name) for member in members[:NAMED_MAX]) + more


def find_project(members: Sequence[ProjectMember], name: str) -> ProjectMember | None:
    """Return the project with a name, else the one with that id.

    Upper and lower case do not matter unless they tell two apart.
    """
    wanted = name.strip()
    exact = [member for member in members if member.name == wanted] or [
        member for member in members if member.project == wanted
    ]
    alike = [member for member in members if member.name.casefold() == wanted.casefold()]
    found = exact or alike
    return found[0] if len(found) == 1 else None


def bound_project(target: RouteTarget, facts: RoutingFacts) -> ProjectMember | None:
    """Return the project that the thread or chat of something belongs to."""
    of = {member.project: member for member in facts.members}
    routes = [facts.routes.get(("thread", target.thread_key or "")), facts.routes.get(("chat", target.chat_key))]
    return next((of[project] for project in routes if project in of), None)


def is_open_to_all(member: ProjectMember, target: RouteTarget) -> bool:
    """Return whether everybody who reads a place may know a project: it lets all of them in."""
    group = group_of(member, target)
    return target.private or (group is not None and group.senders is None)


def shown_in(message: Message, members: Sequence[ProjectMember], target: RouteTarget) -> list[ProjectMember]:
    """Return the projects that an answer to a message may name."""
    return [member for member in members if message.private or is_open_to_all(member, target)]


def place_words(target: RouteTarget) -> str:
    """Return what a place is called in a sentence."""
    return translate("hub_this_topic") if target.thread_key is not None else translate("hub_this_chat")


def keyboard(members: Sequence[ProjectMember], action: str, limits: Limits, current: str | None = None) -> Keyboard:
    """Return a button for each project, as many as there is room for; the current one has a mark."""
    keys = [
        KeyboardButton(
            f"✓ {label(member.name)}" if member.project == current else label(member.name),
            HubButton(action, member.project).data,
        )
        for member in members[: min(limits.buttons, limits.rows * limits.row)]
    ]
    width = 2 if len(keys) <= 2 * limits.rows else limits.row
    return tuple(tuple(keys[at : at + width]) for at in range(0, len(keys), width))


def project_list(
    members: Sequence[ProjectMember], waiting: Mapping[str, int], target: RouteTarget, facts: RoutingFacts
) -> str:
    """Return projects in a line each, with what their agents do, how many messages wait and which one is current."""
    current = facts.routes.get(("person", target.user_id))
    lines = [translate("hub_projects_heading")]
    for member in members:
        key = "hub_project_current" if member.project == current else "hub_project"
        count = waiting.get(member.project, 0)
        more = translate("hub_project_waiting", count=count) if count else ""
        lines.append(translate(key, project=label(member.name), state=translate(f"hub_state_{member.state}") + more))
    if (bound := bound_project(target, facts)) is not None and bound in members:
        lines.append(translate("hub_bound", place=place_words(target), project=label(bound.name)))
    return "\n".join(lines)


def start_keyboard(project: str) -> Keyboard:
    """Return the buttons that start a project's host, or leave it for later."""
    actions = ((START, translate("hub_start")), (LATER, translate("hub_later")))
    return (tuple(KeyboardButton(text, HubButton(action, project).data) for action, text in actions),)


def start_offer_text(member: ProjectMember, count: int) -> str:
    """Return what people are told above these buttons, while messages wait for a project."""
    saved = translate("your_message") if count == 1 else translate("your_messages", count=count)
    return translate("hub_start_offer", count=saved, project=label(member.name))


def start_failed_text(project: str, reason: str, lines: Sequence[str] = ()) -> str:
    """Return what people are told of a project, by its name, that was not started; `lines`: what its host said."""
    said = "\n\n" + "\n".join(lines) if lines else ""
    return translate("hub_start_failed", project=project, reason=reason, lines=said)


def away_text(member: ProjectMember, count: int) -> str:
    """Return what people are told whose messages wait for a project that nobody works on."""
    saved = translate("your_message") if count == 1 else translate("your_messages", count=count)
    key = "hub_waits_for_machine" if member.state == "away" else "hub_waits_for_session"
    return translate(key, count=saved, project=label(member.name))
