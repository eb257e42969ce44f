"""What a message holds besides its text: files, and everything else in words, so that nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent_channels.core.contract.messages import Attachment
from agent_channels.telegram.chats import Json
from agent_channels.telegram.formatting import marked

__all__ = ["CONTENT", "attachments_of", "describe", "photo_of", "text_of"]

# An animation comes as a document too, for old programs.
FILES = ("animation", "live_photo", "document", "audio", "voice", "video", "video_note", "sticker")


def text_of(message: Json) -> str:
    """Return the text or caption as Markdown, or the emoji that a sticker stands for; empty for none."""
    if text := message.get("text"):
        return marked(text, message.get("entities") or ())
    if caption := message.get("caption"):
        return marked(caption, message.get("caption_entities") or ())
    return str((message.get("sticker") or {}).get("emoji") or "")


def photo_of(message: Json) -> Attachment | None:
    """Return a photo in its largest size, also the still picture of a live one."""
    sizes = message.get("photo") or (message.get("live_photo") or {}).get("photo")
    if not sizes:
        return None
    largest = max(sizes, key=lambda size: size["width"] * size["height"])
    return Attachment("photo", str(largest["file_id"]), None, "image/jpeg", largest.get("file_size"))


def attachments_of(message: Json) -> tuple[Attachment, ...]:
    """Return the file, except a photo."""
    for kind in FILES:
        if file := message.get(kind):
            name, mime, size = (file.get(key) for key in ("file_name", "mime_type", "file_size"))
            return (Attachment(kind, str(file["file_id"]), name or file.get("title"), mime, size),)
    return ()


def describe(message: Json) -> str:
    """Describe in parentheses what a message holds; empty for a service message, which nobody wrote."""
    for kind in FILES:
        if file := message.get(kind):
            name = file.get("file_name") or file.get("title")
            return f"({kind.replace('_', ' ')}: {name})" if name else f"({kind.replace('_', ' ')})"
    for kind, tell in _TOLD.items():
        if kind in message:
            return f"({tell(message[kind])})"
    kinds = [kind for kind in CONTENT if message.get(kind)]
    if kinds:
        return f"({', '.join(kinds).replace('_', ' ')})"
    unknown = [kind for kind in message if kind not in _KNOWN]
    if unknown and not _SERVICE & message.keys():
        return f"(a kind of message that this version cannot read: {', '.join(unknown).replace('_', ' ')})"
    return ""


# ---- one function a kind


def _venue(venue: Json) -> str:
    return f"venue: {venue['title']}, {venue['address']}, {_coordinates(venue['location'])}"


def _coordinates(location: Json) -> str:
    return f"{location['latitude']}, {location['longitude']}"


def _contact(contact: Json) -> str:
    return f"contact: {_name(contact)}, {contact['phone_number']}"


def _name(person: Json) -> str:
    return " ".join(filter(None, (person.get("first_name"), person.get("last_name"))))


def _poll(poll: Json) -> str:
    choices = " | ".join(_words(choice) for choice in poll["options"])
    description = marked(poll.get("description") or "", poll.get("description_entities") or ())
    question = marked(poll["question"], poll.get("question_entities") or ())
    return " – ".join(filter(None, (f"poll: {question}", description, choices)))


def _words(choice: Json) -> str:
    return marked(choice["text"], choice.get("text_entities") or ())


def _checklist(checklist: Json) -> str:
    title = marked(checklist["title"], checklist.get("title_entities") or ())
    return f"checklist: {title} – {' | '.join(_task(task) for task in checklist['tasks'])}"


def _task(task: Json) -> str:
    # The date is 0 for a task that was marked by an unknown person.
    done = any(key in task for key in ("completion_date", "completed_by_user", "completed_by_chat"))
    return f"[{'x' if done else ' '}] {_words(task)}"


def _tasks_done(change: Json) -> str:
    checklist = _changed_checklist(change)
    names = {task["id"]: _words(task) for task in checklist.get("tasks") or ()}

    def named(ids: Sequence[int]) -> str:
        return " | ".join(names.get(number, f"task {number}") for number in ids)

    told = [
        f"{word}: {named(change[key])}"
        for word, key in (("done", "marked_as_done_task_ids"), ("not done", "marked_as_not_done_task_ids"))
        if change.get(key)
    ]
    return " – ".join([_checklist_title(checklist), *told])


def _tasks_added(change: Json) -> str:
    added = " | ".join(_words(task) for task in change["tasks"])
    return f"{_checklist_title(_changed_checklist(change))} – added: {added}"


def _changed_checklist(change: Json) -> Json:
    checklist: Json = (change.get("checklist_message") or {}).get("checklist") or {}
    return checklist


def _checklist_title(checklist: Json) -> str:
    return f"checklist: {checklist['title']}" if checklist.get("title") else "checklist"


def _poll_option(verb: str) -> Callable[[Json], str]:
    def tell(change: Json) -> str:
        poll = (change.get("poll_message") or {}).get("poll") or {}
        words = marked(change["option_text"], change.get("option_text_entities") or ())
        return ": ".join(filter(None, ("poll", poll.get("question")))) + f" – {verb}: {words}"

    return tell


def _people(shared: Json) -> str:
    people = shared.get("users") or [{"user_id": number} for number in shared.get("user_ids") or [shared["user_id"]]]
    return f"shared: {', '.join(_with_id(person, _name(person), person['user_id']) for person in people)}"


def _chat(shared: Json) -> str:
    return f"shared chat: {_with_id(shared, shared.get('title') or '', shared['chat_id'])}"


def _with_id(shared: Json, name: str, number: int) -> str:
    username = f"@{shared['username']}" if shared.get("username") else ""
    return " ".join(filter(None, (name, username, f"id {number}")))


def _web_app(data: Json) -> str:
    return f"web app, {data['button_text']}: {data['data']}"


def _gift(gift: Json) -> str:
    emoji = ((gift.get("gift") or {}).get("sticker") or {}).get("emoji")
    text = marked(gift.get("text") or "", gift.get("entities") or ())
    return ": ".join(filter(None, (" ".join(filter(None, ("gift", emoji))), text)))


def _unique_gift(gift: Json) -> str:
    return f"gift: {gift['gift']['base_name']} #{gift['gift']['number']}"


def _titled(kind: str) -> Callable[[Json], str]:
    return lambda thing: f"{kind}: {' – '.join(filter(None, (thing['title'], thing.get('description'))))}"


def _payment(kind: str) -> Callable[[Json], str]:
    # Amounts are in the smallest unit of a currency.
    return lambda payment: f"{kind}: {payment['total_amount']} {payment['currency']}"


def _giveaway(giveaway: Json) -> str:
    return ": ".join(filter(None, ("giveaway", giveaway.get("prize_description"))))


# A venue has a location too, for old programs.
_TOLD: Mapping[str, Callable[[Json], str]] = {
    "venue": _venue,
    "location": lambda location: f"location: {_coordinates(location)}",
    "contact": _contact,
    "dice": lambda dice: f"dice: {dice['emoji']} {dice['value']}",
    "poll": _poll,
    "poll_option_added": _poll_option("added"),
    "poll_option_deleted": _poll_option("deleted"),
    "checklist": _checklist,
    "checklist_tasks_done": _tasks_done,
    "checklist_tasks_added": _tasks_added,
    "users_shared": _people,
    "user_shared": _people,
    "chat_shared": _chat,
    "web_app_data": _web_app,
    "gift": _gift,
    "unique_gift": _unique_gift,
    "game": _titled("game"),
    "invoice": _titled("invoice"),
    "successful_payment": _payment("payment"),
    "refunded_payment": _payment("refunded payment"),
    "giveaway": _giveaway,
}
CONTENT = (*FILES, "photo", *_TOLD, "story", "paid_media", "giveaway_winners")

# What Telegram itself says in a chat.
_SERVICE_NAMES = """
new_chat_members left_chat_member new_chat_title new_chat_photo delete_chat_photo group_chat_created
supergroup_chat_created channel_chat_created message_auto_delete_timer_changed migrate_to_chat_id migrate_from_chat_id
pinned_message connected_website write_access_allowed passport_data proximity_alert_triggered boost_added
chat_background_set forum_topic_created forum_topic_edited forum_topic_closed forum_topic_reopened
general_forum_topic_hidden general_forum_topic_unhidden giveaway_created giveaway_completed gift_upgrade_sent
video_chat_scheduled video_chat_started video_chat_ended video_chat_participants_invited paid_message_price_changed
direct_message_price_changed suggested_post_approved suggested_post_approval_failed suggested_post_declined
suggested_post_paid suggested_post_refunded chat_owner_left chat_owner_changed managed_bot_created
new_chat_participant new_chat_member left_chat_participant"""
_SERVICE = frozenset(_SERVICE_NAMES.split())
# Who sent a message, when, where and how; not what it says.
_ENVELOPE_NAMES = """
message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot sender_tag
date business_connection_id chat forward_origin forward_from forward_from_chat forward_date forward_from_message_id
forward_signature forward_sender_name is_topic_message is_automatic_forward reply_to_message external_reply quote
reply_to_story reply_to_checklist_task_id reply_to_poll_option_id via_bot edit_date has_protected_content
is_from_offline is_paid_post media_group_id author_signature paid_star_count text entities link_preview_options
suggested_post_info effect_id caption caption_entities show_caption_above_media has_media_spoiler reply_markup
guest_bot_caller_user guest_bot_caller_chat guest_query_id ephemeral_message_id receiver_user origin"""
_KNOWN = _SERVICE | frozenset(_ENVELOPE_NAMES.split()) | frozenset(CONTENT)
