"""What a message holds besides its text: files, and everything else in words, so that nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.i18n.messages import translate
from agent_channels.telegram.attachments import file_of, picture_of
from agent_channels.telegram.chats import Json
from agent_channels.telegram.formatting import marked
from agent_channels.telegram.rich_content import rich_content

__all__ = ["CONTENT", "SERVICE", "describe", "files_of", "service_words", "text_of", "words_of"]

# An animation comes as a document too, for old programs.
FILES = ("animation", "live_photo", "document", "audio", "voice", "video", "video_note", "sticker")


def text_of(message: Json) -> str:
    """Return the text or caption as Markdown, or the emoji that a sticker stands for; empty for none."""
    if rich := rich_content(message):
        return rich.text
    if text := message.get("text"):
        return marked(text, message.get("entities") or ())
    if caption := message.get("caption"):
        return marked(caption, message.get("caption_entities") or ())
    return str((message.get("sticker") or {}).get("emoji") or "")


def files_of(message: Json) -> tuple[Attachment | None, tuple[Attachment, ...]]:
    """Return the picture to show, and the files; among several files the picture is one of them.

    A photo is there in its largest size, also the still picture of a live one.
    """
    if rich := rich_content(message):
        image = next((file for file in rich.files if file.kind == "photo"), None)
        return image, () if rich.files == (image,) else rich.files
    if paid := (message.get("paid_media") or {}).get("paid_media"):
        return _paid_files(paid)
    sizes = message.get("photo") or (message.get("live_photo") or {}).get("photo")
    kind = next((kind for kind in FILES if message.get(kind)), None) or _unknown_file(message)
    return picture_of(sizes) if sizes else None, (file_of(kind, message[kind]),) if kind else ()


def _paid_files(paid: Sequence[Json]) -> tuple[Attachment | None, tuple[Attachment, ...]]:
    """Return what has been paid for; what has not comes without a file."""
    files = [picture_of(item["photo"]) for item in paid if item.get("photo")]
    image = files[0] if files else None
    files += [file_of(kind, item[kind]) for item in paid for kind in ("video", "live_photo") if item.get(kind)]
    return image, () if files == [image] else tuple(files)


def _unknown_file(message: Json) -> str | None:
    """Return the kind of a file that this version does not know; None for none."""
    unknown = ((kind, message[kind]) for kind in message if kind not in _KNOWN)
    return next((kind for kind, value in unknown if isinstance(value, dict) and value.get("file_id")), None)


def describe(message: Json) -> str:
    """Describe in parentheses what a message holds; empty for a service message, which nobody wrote."""
    for kind in FILES:
        if file := message.get(kind):
            name = file.get("file_name") or file.get("title")
            return f"({kind.replace('_', ' ')}: {name})" if name else f"({kind.replace('_', ' ')})"
    for kind, tell in _TOLD.items():
        if kind in message:
            return f"({tell(message[kind])})"
    kinds = [_NAMED[kind]() if kind in _NAMED else kind.replace("_", " ") for kind in CONTENT if message.get(kind)]
    if kinds:
        return f"({', '.join(kinds)})"
    if "rich_message" in message:
        return _unknown(message, ["rich_message"])
    unknown = [kind for kind in message if kind not in _KNOWN]
    if unknown and not SERVICE.keys() & message.keys():
        return _unknown(message, unknown)
    return ""


def service_words(message: Json) -> str:
    """Say in parentheses what Telegram itself says in a chat; empty for a message of another kind."""
    kind = next((kind for kind in SERVICE if kind in message), None)
    if kind is None:
        return ""
    told = SERVICE[kind]()
    value = message[kind]
    if isinstance(value, dict):
        value = text_of(value) or value.get("name")
    return f"({told}: {value})" if isinstance(value, str) and value else f"({told})"


def words_of(part: Json) -> str:
    """Return the words of an option of a poll, or of a task of a checklist."""
    return marked(part["text"], part.get("text_entities") or ())


def _unknown(message: Json, kinds: Sequence[str]) -> str:
    """Name the kinds, and say what words there are in them."""
    told = translate("kind_unknown", kind=", ".join(kinds).replace("_", " "))
    found = (rich_content({"rich_message": {"blocks": [_parts(message[kind])]}}) for kind in kinds)
    words = "\n".join(content.text for content in found if content and content.text.strip())
    return f"{told}\n{words}" if words else told


def _parts(value: Any) -> Any:
    """Return a value as a node of a rich message without a type, whose words are found by the names of their keys."""
    if isinstance(value, str):
        return value
    return {key: part for key, part in value.items() if key != "type"} if isinstance(value, dict) else {"parts": value}


# ---- one function a kind


def _venue(venue: Json) -> str:
    return f"{translate('kind_venue')}: {venue['title']}, {venue['address']}, {_coordinates(venue['location'])}"


def _coordinates(location: Json) -> str:
    return f"{location['latitude']}, {location['longitude']}"


def _contact(contact: Json) -> str:
    return f"{translate('kind_contact')}: {_name(contact)}, {contact['phone_number']}"


def _name(person: Json) -> str:
    return " ".join(filter(None, (person.get("first_name"), person.get("last_name"))))


def _poll(poll: Json) -> str:
    choices = " | ".join(words_of(choice) for choice in poll["options"])
    description = marked(poll.get("description") or "", poll.get("description_entities") or ())
    question = marked(poll["question"], poll.get("question_entities") or ())
    return " – ".join(filter(None, (f"{translate('kind_poll')}: {question}", description, choices)))


def _checklist(checklist: Json) -> str:
    title = marked(checklist["title"], checklist.get("title_entities") or ())
    return f"{translate('kind_checklist')}: {title} – {' | '.join(_task(task) for task in checklist['tasks'])}"


def _task(task: Json) -> str:
    # The date is 0 for a task that was marked by an unknown person.
    done = any(key in task for key in ("completion_date", "completed_by_user", "completed_by_chat"))
    return f"[{'x' if done else ' '}] {words_of(task)}"


def _tasks_done(change: Json) -> str:
    checklist = _changed_checklist(change)
    names = {task["id"]: words_of(task) for task in checklist.get("tasks") or ()}

    def named(ids: Sequence[int]) -> str:
        return " | ".join(names.get(number, f"{translate('kind_task')} {number}") for number in ids)

    told = [
        f"{word}: {named(change[key])}"
        for word, key in (
            (translate("kind_done"), "marked_as_done_task_ids"),
            (translate("kind_not_done"), "marked_as_not_done_task_ids"),
        )
        if change.get(key)
    ]
    return " – ".join([_checklist_title(checklist), *told])


def _tasks_added(change: Json) -> str:
    added = " | ".join(words_of(task) for task in change["tasks"])
    return f"{_checklist_title(_changed_checklist(change))} – {translate('kind_added')}: {added}"


def _changed_checklist(change: Json) -> Json:
    checklist: Json = (change.get("checklist_message") or {}).get("checklist") or {}
    return checklist


def _checklist_title(checklist: Json) -> str:
    word = translate("kind_checklist")
    return f"{word}: {checklist['title']}" if checklist.get("title") else word


def _poll_option(verb: Callable[[], str]) -> Callable[[Json], str]:
    def tell(change: Json) -> str:
        poll = (change.get("poll_message") or {}).get("poll") or {}
        words = marked(change["option_text"], change.get("option_text_entities") or ())
        question = ": ".join(filter(None, (translate("kind_poll"), poll.get("question"))))
        return f"{question} – {verb()}: {words}"

    return tell


def _people(shared: Json) -> str:
    people = shared.get("users") or [{"user_id": number} for number in shared.get("user_ids") or [shared["user_id"]]]
    told = ", ".join(_with_id(person, _name(person), person["user_id"]) for person in people)
    return f"{translate('kind_shared')}: {told}"


def _chat(shared: Json) -> str:
    return f"{translate('kind_shared_chat')}: {_with_id(shared, shared.get('title') or '', shared['chat_id'])}"


def _with_id(shared: Json, name: str, number: int) -> str:
    username = f"@{shared['username']}" if shared.get("username") else ""
    return " ".join(filter(None, (name, username, f"id {number}")))


def _web_app(data: Json) -> str:
    return f"{translate('kind_web_app')}, {data['button_text']}: {data['data']}"


def _gift(gift: Json) -> str:
    emoji = ((gift.get("gift") or {}).get("sticker") or {}).get("emoji")
    text = marked(gift.get("text") or "", gift.get("entities") or ())
    return ": ".join(filter(None, (" ".join(filter(None, (translate("kind_gift"), emoji))), text)))


def _unique_gift(gift: Json) -> str:
    return f"{translate('kind_gift')}: {gift['gift']['base_name']} #{gift['gift']['number']}"


def _titled(kind: Callable[[], str]) -> Callable[[Json], str]:
    return lambda thing: f"{kind()}: {' – '.join(filter(None, (thing['title'], thing.get('description'))))}"


def _payment(kind: Callable[[], str]) -> Callable[[Json], str]:
    # Amounts are in the smallest unit of a currency.
    return lambda payment: f"{kind()}: {payment['total_amount']} {payment['currency']}"


def _giveaway(giveaway: Json) -> str:
    return ": ".join(filter(None, (translate("kind_giveaway"), giveaway.get("prize_description"))))


# A venue has a location too, for old programs.
_TOLD: Mapping[str, Callable[[Json], str]] = {
    "venue": _venue,
    "location": lambda location: f"{translate('kind_location')}: {_coordinates(location)}",
    "contact": _contact,
    "dice": lambda dice: f"{translate('kind_dice')}: {dice['emoji']} {dice['value']}",
    "poll": _poll,
    "poll_option_added": _poll_option(lambda: translate("kind_added")),
    "poll_option_deleted": _poll_option(lambda: translate("kind_removed")),
    "checklist": _checklist,
    "checklist_tasks_done": _tasks_done,
    "checklist_tasks_added": _tasks_added,
    "users_shared": _people,
    "user_shared": _people,
    "chat_shared": _chat,
    "web_app_data": _web_app,
    "gift": _gift,
    "unique_gift": _unique_gift,
    "game": _titled(lambda: translate("kind_game")),
    "invoice": _titled(lambda: translate("kind_invoice")),
    "successful_payment": _payment(lambda: translate("kind_payment")),
    "refunded_payment": _payment(lambda: translate("kind_refund")),
    "giveaway": _giveaway,
}
_NAMED: Mapping[str, Callable[[], str]] = {
    "story": lambda: translate("kind_story"),
    "paid_media": lambda: translate("kind_paid_media"),
    "giveaway_winners": lambda: translate("kind_giveaway_winners"),
}
CONTENT = (*FILES, "photo", *_TOLD, *_NAMED)

# What Telegram itself says in a chat: nobody wrote it, but people reply to it.
SERVICE: Mapping[str, Callable[[], str]] = {
    "new_chat_members": lambda: translate("service_joined"),
    "new_chat_participant": lambda: translate("service_joined"),
    "new_chat_member": lambda: translate("service_joined"),
    "left_chat_member": lambda: translate("service_left"),
    "left_chat_participant": lambda: translate("service_left"),
    "new_chat_title": lambda: translate("service_title"),
    "new_chat_photo": lambda: translate("service_photo"),
    "delete_chat_photo": lambda: translate("service_photo_removed"),
    "group_chat_created": lambda: translate("service_created"),
    "supergroup_chat_created": lambda: translate("service_created"),
    "channel_chat_created": lambda: translate("service_created"),
    "message_auto_delete_timer_changed": lambda: translate("service_auto_delete"),
    "migrate_to_chat_id": lambda: translate("service_migrated"),
    "migrate_from_chat_id": lambda: translate("service_migrated"),
    "pinned_message": lambda: translate("service_pinned"),
    "connected_website": lambda: translate("service_website"),
    "write_access_allowed": lambda: translate("service_write_access"),
    "passport_data": lambda: translate("service_passport"),
    "proximity_alert_triggered": lambda: translate("service_proximity"),
    "boost_added": lambda: translate("service_boost"),
    "chat_background_set": lambda: translate("service_background"),
    "forum_topic_created": lambda: translate("service_topic_created"),
    "forum_topic_edited": lambda: translate("service_topic_edited"),
    "forum_topic_closed": lambda: translate("service_topic_closed"),
    "forum_topic_reopened": lambda: translate("service_topic_reopened"),
    "general_forum_topic_hidden": lambda: translate("service_general_hidden"),
    "general_forum_topic_unhidden": lambda: translate("service_general_shown"),
    "giveaway_created": lambda: translate("service_giveaway_created"),
    "giveaway_completed": lambda: translate("service_giveaway_completed"),
    "gift_upgrade_sent": lambda: translate("service_gift_upgrade"),
    "video_chat_scheduled": lambda: translate("service_video_scheduled"),
    "video_chat_started": lambda: translate("service_video_started"),
    "video_chat_ended": lambda: translate("service_video_ended"),
    "video_chat_participants_invited": lambda: translate("service_video_invited"),
    "paid_message_price_changed": lambda: translate("service_message_price"),
    "direct_message_price_changed": lambda: translate("service_message_price"),
    "suggested_post_approved": lambda: translate("service_post_approved"),
    "suggested_post_approval_failed": lambda: translate("service_post_failed"),
    "suggested_post_declined": lambda: translate("service_post_declined"),
    "suggested_post_paid": lambda: translate("service_post_paid"),
    "suggested_post_refunded": lambda: translate("service_post_refunded"),
    "chat_owner_left": lambda: translate("service_owner_left"),
    "chat_owner_changed": lambda: translate("service_owner_changed"),
    "managed_bot_created": lambda: translate("service_managed_bot"),
    "community_chat_added": lambda: translate("service_community_added"),
    "community_chat_removed": lambda: translate("service_community_removed"),
    "community_chat_joined": lambda: translate("service_community_joined"),
}
# Who sent a message, when, where and how; not what it says.
_ENVELOPE_NAMES = """
message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot sender_tag
date business_connection_id chat forward_origin forward_from forward_from_chat forward_date forward_from_message_id
forward_signature forward_sender_name is_topic_message is_automatic_forward reply_to_message external_reply quote
reply_to_story reply_to_checklist_task_id reply_to_poll_option_id via_bot edit_date has_protected_content
is_from_offline is_paid_post media_group_id author_signature paid_star_count text entities link_preview_options
suggested_post_info effect_id caption caption_entities show_caption_above_media has_media_spoiler reply_markup
guest_bot_caller_user guest_bot_caller_chat guest_query_id ephemeral_message_id receiver_user origin"""
_KNOWN = SERVICE.keys() | frozenset(_ENVELOPE_NAMES.split()) | frozenset(CONTENT) | {"rich_message"}
