"""Every sentence a person reads in a chat, in English: the table that the others translate."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "pairing_code": (
        "Hello. This bot belongs to somebody's coding agent, and you are not on its list yet.\n\n"
        "Your pairing code: {code}\n\n"
        "Give it to the operator, who lets you in with:\n{command}\n\n"
        "It is valid for one hour. What you write until then is kept (the first {kept} messages) and passed on "
        "once you are in."
    ),
    "pairing_crowded": (
        "Hello. This bot belongs to somebody's coding agent, and too many people are waiting to be let in right now. "
        "Try again in an hour, or have the operator let you in with:\n{command}"
    ),
    "text_in_file": "📄 The whole text is in the file.",
    "paired": "Paired. Hello {name}, what you write here now reaches the agent.",
    "start": "You are paired. What you write here reaches the agent; when it shows buttons, tap one or type its label.",
    "help": (
        "What you write here reaches the agent: text, pictures, files, voice notes.\n"
        "When it shows buttons, tap one, or type its label or number.\n\n"
        "/status – is anybody listening?\n/inbox – what waits for the agent\n/cancel – close open questions\n"
        "/session status – who reads this, and what is kept\n/session clear – forget this chat and start anew\n"
        "/session export – this chat as a file\n/help – this text"
    ),
    "status": "Connected as {bot}. {waiting}",
    "status_none": "Every message has been answered.",
    "status_open": "{count} waiting for the agent.",
    "inbox_none": "Nothing waits for the agent in this chat.",
    "inbox_head": "{count} waiting in this chat:",
    "inbox_line": "• {age} – {text}",
    "inbox_offered": "• {age}, with the agent – {text}",
    "inbox_more": "… and {count} more",
    "age_d": "{count} d",
    "age_h": "{count} h",
    "age_min": "{count} min",
    "age_s": "{count} s",
    "cancelled": "✖️ Cancelled · {user}",
    "cancelled_none": "There is no open question here that is yours to cancel.",
    "cancelled_one": "1 question closed.",
    "cancelled_many": "{count} questions closed.",
    "session_usage": (
        "/session status – who reads this, and what is kept\n"
        "/session clear – forget this chat and start anew\n/session export – this chat as a file"
    ),
    "session_status": (
        "{client} reads this in the project {project}, for {age} now. Messages reach it by {mode} ({why}).\n{history}"
    ),
    "some_host": "A session",
    "history_kept": "{count} messages of this chat are kept, the oldest of {since}.",
    "history_none": "Nothing of this chat is kept.",
    "session_cleared": "{count} messages of this chat are forgotten. The agent is told to start anew.",
    "session_not_allowed": "In a group only an approver may clear what belongs to everybody.",
    "event_cleared": (
        "(The person asks to start anew: the stored history of this chat was deleted. Take what was said here before "
        "as forgotten, and do not bring it up again. One short word that you are ready is enough.)"
    ),
    "exported": "Sent.",
    "export_failed": "The file could not be sent.",
    "passed_on": "Passed on to the agent.",
    "menu_status": "Is anybody listening?",
    "menu_inbox": "What waits for the agent in this chat",
    "menu_cancel": "Close the open questions of this chat",
    "menu_session": "This chat's memory: status, clear, export",
    "menu_help": "What this bot does",
    "tap_done": "{label}",
    "tap_unknown": "This button is not known any more.",
    "tap_expired": "This question has expired.",
    "tap_closed": "This question is closed.",
    "tap_answered": "Already answered: {label}",
    "tap_foreign": "This question is for somebody else.",
    "tap_not_allowed": "You are not allowed to answer here.",
    "outcome": "✅ {label} · {user}",
    "one_message": "Your message is",
    "messages": "Your {count} messages are",
    "count_one": "1 message",
    "count_many": "{count} messages",
    "kept_unoffered": "{count} kept; no agent has picked it up yet{reason}. Nothing is lost.",
    "kept_offered": "{count} kept and with the agent's session; there has been no answer yet{reason}.",
    "kept_late": "{count} kept while I was away; handed to the agent now.",
    "why_not_read": "its program has not read for {seconds} s",
    "why_next_turn": "this session takes messages at its next turn",
    "outcome_sent": "☑️ {label} · {user} – passed on to the session",
    "outcome_given": "☑️ {label} · {user}",
    "outcome_lost": "⌛ {label} · {user} – reached nobody: the session no longer waits for it",
    "button_other": "Other…",
    "button_done": "Done",
    "form_title": "Your answer",
    "type_other": "Type your answer as a message.",
    "choose_first": "Choose at least one first.",
    "prompt_gone": "This question is gone; your answer reached nobody.",
    "prompt_over": "⌛ Closed without an answer.",
    "ask_timeout": "⌛ Closed: nobody answered in time.",
    "ask_cancelled": "⌛ Closed: the question was withdrawn.",
    "card_in_file": "(the whole request is in the file above)",
    "card_permission": "🔐 The agent asks for permission: {tool}",
    "card_question": "❓ {header}",
    "card_foot": "Project {project}. Request {request_id}: tap, or type yes {request_id} or no {request_id}.",
    "card_question_foot": "Project {project}.",
    "allow": "Allow",
    "deny": "Deny",
    "verdict": "{label}: on its way to the session.",
    "waiting_ended": "The terminal session no longer waits for messages from here.",
    "forwarded": "[forwarded from {name}]",
    "image_failed": "[the picture could not be downloaded: {reason}]",
    "image_failed_many": "[{count} pictures could not be downloaded: {reason}]",
    "transcript": "(transcript, may be wrong) {text}",
    "voice_missing": "[the voice note could not be downloaded: {reason}]",
    "voice_missing_many": "[{count} voice notes could not be downloaded: {reason}]",
    "voice_failed": "[the voice note could not be written down: {reason}; the file is there]",
    "voice_failed_many": "[{count} voice notes could not be written down: {reason}; the files are there]",
}
