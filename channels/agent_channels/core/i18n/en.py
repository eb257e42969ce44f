"""Every sentence that people read in a chat, in English. The other languages translate this table."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    # Pairing.
    "pairing_code": (
        "Hi! This bot belongs to someone's coding agent, and you don't have access yet.\n\n"
        "Your pairing code: {code}\n\n"
        "Give it to the bot's operator, who can let you in with:\n{command}\n\n"
        "The code is valid until {until}. The first {kept} messages you send until then are saved, and delivered once "
        "you're in."
    ),
    "pairing_code_again": (
        "You don't have access yet. Your pairing code is still {code}, valid until {until}. The bot's operator can "
        "let you in with:\n{command}"
    ),
    "pairing_silent": "I will not answer here again until you're in, or your code has run out.",
    "invite_used": "This invitation was used already: each one lets in one person. Ask the operator for a new one.",
    "invite_expired": "This invitation has run out. Ask the operator for a new one.",
    "pairing_queue_full": (
        "Hi! This bot belongs to someone's coding agent, and too many people are waiting for access right now. "
        "Please try again in an hour, or ask the operator to let you in with:\n{command}"
    ),
    "button_copy_code": "📋 Copy the code",
    "button_copy_command": "📋 Copy the command",
    "pair_known": "You're paired: what you write to {bot} directly goes to the agent.",
    "pair_directly": "To pair, write to {bot} directly.",
    "setup_hello": (
        "Hi {name}! This is the first message of your agent's phone line, for the project {project}. Tap a button, and "
        "it is set up."
    ),
    "setup_works": "It works",
    "setup_wrong": "Something is wrong",
    "paired": "Paired. Hi {name}! Anything you write here now goes to the agent.",
    # Commands.
    "start": (
        "You're paired: anything you write here goes to the agent. When it shows buttons, tap one or type its label."
    ),
    "help": (
        "Anything you send here goes to the agent: text, pictures, files, voice notes.\n"
        "When it shows buttons, tap one, or type its label or number.\n\n"
        "/status – is the bot connected?\n/stop – stop what the agent is doing\n"
        "/progress – what you see while it works\n{rich}{hub}{videos}"
        "/loop – have the agent work in rounds until it is done (approvers)\n"
        "/inbox – messages waiting for the agent\n/cancel – close open questions\n"
        "/end – end the terminal session's waiting for messages\n"
        "/session status – who reads this chat, and what is saved\n"
        "/session clear – forget this chat and start over\n"
        "/session export – get this chat as a file\n"
        "/session forget WORDS – delete saved messages with these words\n/help – this message"
    ),
    "help_rich": "/rich – how tables and task lists are sent\n",
    "help_yt2pdf": "/yt2pdf – a summary of a YouTube video as PDFs\n",
    "status": "Connected as {bot}. {waiting}",
    "status_agent": "Agent: {client}, project {project}; messages reach it by {mode}: {why}.",
    "status_all_answered": "Every message has been answered.",
    "status_waiting": "Messages waiting for the agent: {count}.",
    "inbox_empty": "No messages in this chat are waiting for the agent.",
    "inbox_heading": "{count} waiting in this chat:",
    "inbox_waiting": "• {age} – {text}",
    "inbox_offered": "• {age}, with the agent – {text}",
    "inbox_more": "… and {count} more",
    "age_d": "{count} d",
    "age_h": "{count} h",
    "age_min": "{count} min",
    "age_s": "{count} s",
    "cancelled": "✖️ Cancelled · {user}",
    "cancelled_none": "There are no open questions here that you can cancel.",
    "cancelled_one": "1 question closed.",
    "cancelled_many": "{count} questions closed.",
    "session_usage": (
        "/session status – who reads this chat, and what is saved\n"
        "/session clear – forget this chat and start over\n/session export – get this chat as a file\n"
        "/session forget WORDS – delete what is saved with all of these words in it"
    ),
    "session_forget_ask": (
        "This chat has {messages} with this in them, {others} of copies, questions and buttons, and {records}. "
        "Delete it all, as far as it is counted here? That cannot be undone."
    ),
    "button_forget": "🗑 Forget {messages}",
    "button_forget_records": "🗑 Forget it",
    "button_forget_nothing": "Keep them",
    "session_forgotten": "Deleted: {messages} of this chat, and the words of {records}.",
    "session_forget_open": " What the agent has not answered yet stays: {messages}; repeat this once it has.",
    "saved_messages_one": "1 saved message",
    "saved_messages_many": "{count} saved messages",
    "records_one": "1 record",
    "records_many": "{count} records",
    "session_status": (
        "{client} (project {project}) has been reading this chat for {age}. Messages reach it by {mode}: {why}.\n"
        "{history}"
    ),
    "session_unknown_client": "An agent",
    "history_saved": "Saved messages from this chat: {count}, the oldest from {since}.",
    "history_empty": "No messages from this chat are saved.",
    "session_cleared": "Saved messages deleted: {count}. The agent has been told to start over.",
    "approvers_only": "In a group, only an approver can use this command.",
    "session_cleared_event": (
        "(The person wants to start over: the saved history of this chat was deleted. Treat everything said here so "
        "far as forgotten, and do not bring it up again. A short reply that you are ready is enough.)"
    ),
    "session_exported": "Sent.",
    "session_export_failed": "The file could not be sent.",
    "command_passed_on": "Sent to the agent.",
    "waiting_ended": "The terminal session no longer waits for messages from this chat.",
    "waiting_none": "No terminal session is waiting for messages.",
    "menu_status": "Is the bot connected?",
    "menu_stop": "Stop what the agent is doing",
    "menu_progress": "What this chat sees while the agent works",
    "menu_rich": "How this chat gets tables and task lists",
    "menu_loop": "Have the agent work in rounds until it is done",
    "menu_yt2pdf": "A summary of a YouTube video as PDFs",
    "menu_inbox": "Messages in this chat that wait for the agent",
    "menu_cancel": "Close the open questions in this chat",
    "menu_session": "This chat's history: status, clear, export, forget",
    "menu_help": "What this bot can do",
    "menu_pair": "Ask to be let in",
    # Turns: what the agent does, and how it ends.
    "thread_gone": "For the deleted topic “{name}”:",
    "turn_step": "1 step",
    "turn_steps": "{count} steps",
    "turn_file": "1 file",
    "turn_files": "{count} files",
    "turn_running": "Still running: {what}",
    "progress_working": "⏳ Working: {summary}",
    "progress_stopping": "⏹ Stopping… {summary}",
    "progress_step": "· {words}",
    "progress_running": "▸ {what}",
    "progress_asks": "🔐 Waiting for an approver to answer a card",
    "progress_thinking": "thinking",
    "progress_words": "💬 {words}",
    "progress_plan_done": "☑ {count} done before these",
    "progress_more": "… and {count} more",
    "progress_done": "✅ Done in {summary}",
    "progress_stopped": "⏹ Stopped by {user} after {summary}",
    "progress_failed": "⚠️ Failed after {summary}",
    "progress_interrupted": "⏹ Interrupted at the terminal after {summary}",
    "progress_gone": "⌛ The session ended after {summary}",
    "progress_in_force": "Progress in this chat: {level} – {what}.",
    "progress_off": "nothing is shown while the agent works",
    "progress_brief": "what the agent does is shown while it works, and then removed",
    "progress_on": "what the agent does is shown while it works, and how it ended",
    "progress_verbose": "as with on, with what the agent says, and for work begun at the terminal",
    "progress_usage": "/progress off, brief, on or verbose changes it.",
    "rich_in_force": "Tables and task lists in this chat: {choice} – {what}.",
    "rich_auto": "wide tables, task lists and long output as rich messages, everything else as plain text",
    "rich_off": "everything as plain text",
    "rich_usage": "/rich auto or off changes it.",
    "folded_one": "1 line",
    "folded_many": "{count} lines",
    "status_working": "Working: {what}",
    "turn_compacting": "Compacting the conversation…",
    "turn_steered": "📨 Your message has reached the agent in the middle of its work.",
    "turn_stopped": "⏹ Stopped by {user} after {summary}.",
    "turn_failed_rate_limit": "⚠️ The agent cannot go on: its usage limit is reached.",
    "turn_failed_overloaded": "⚠️ The agent cannot go on: its model's service is overloaded or down.",
    "turn_failed_login": "⚠️ The agent cannot go on: it has to log in again at the terminal.",
    "turn_failed_billing": "⚠️ The agent cannot go on: there is a problem with its account's billing.",
    "turn_failed_other": "⚠️ The agent could not go on.",
    "turn_failed_kept": "Your message stays open until the agent works again.",
    "turn_dialog": "⏸ The agent is waiting for somebody at the terminal: {message}",
    "session_ended_one": "💤 The agent's session on {project} has ended. Your message is kept for the next one.",
    "session_ended_many": (
        "💤 The agent's session on {project} has ended. Your {count} messages are kept for the next one."
    ),
    "stop_requested": "⏹ Stopping: the agent ends at its next step.",
    "stop_too_late": "It has already ended.",
    "stop_already": "Already being stopped by {user}.",
    "stop_nothing": "The agent isn't working on anything for this chat.",
    "button_stop": "Stop",
    "answer_from_terminal": "💻 *Said at the terminal:*",
    "answer_offer": "💻 The agent answered at the terminal, but not here.",
    "button_send": "Send it here",
    "button_dont_send": "Don't",
    # Several projects on one bot.
    "hub_which": "Which project is this for? Your message is kept until you choose.",
    "hub_which_by_name": "If it has no button here, answer with its name, or write /projects to {bot} directly.",
    "hub_asked": "Which project is this for? Choose below.",
    "hub_answered": "→ {project} · {user}. What you write next goes there too; /projects changes that.",
    "hub_answered_topic": "→ {project} · {user}. This topic now belongs to {project}; /here changes that.",
    "hub_answered_unnamed": "Answered · {user}. What you write next goes there too; /projects changes that.",
    "hub_goes_to": "→ {project}",
    "hub_question_over": "This question needs no answer any more.",
    "hub_closed": "That project does not let you in here.",
    "hub_nobody": "None of this bot's projects lets you in here.",
    "hub_projects_heading": "Your projects on this bot:",
    "hub_project": "• {project} – {state}",
    "hub_project_current": "✓ {project} – {state}",
    "hub_project_waiting": ", messages waiting: {count}",
    "hub_state_working": "working",
    "hub_state_idle": "ready",
    "hub_state_none": "no session",
    "hub_state_away": "machine away",
    "hub_state_dead": "no session",
    "hub_bound": "{place} belongs to {project}.",
    "hub_this_topic": "This topic",
    "hub_this_chat": "This chat",
    "hub_projects_usage": "Tap the one that gets what you write. /new NAME opens a topic for a project.",
    "hub_projects_directly": "Write /projects to {bot} directly: not everybody here may see the list.",
    "hub_current": "What you write goes to {project} from now on.",
    "hub_current_elsewhere": "What you write goes to {project} from now on. {place} still belongs to {bound}.",
    "hub_unknown": "You have no project called “{name}” on this bot. Yours: {names}.",
    "hub_unknown_here": "You have no project called “{name}” here.",
    "hub_approvers_only": "Only an approver of {project} can do that. Its operator makes you one: {command}",
    "hub_approver_of_none": "Only approvers can do that, and you are an approver of none of the projects here.",
    "hub_here": "{place} belongs to {project} from now on.",
    "hub_here_off": "{place} no longer belongs to {project}.",
    "hub_here_nothing": "{place} belongs to no project.",
    "hub_here_taken": "{place} belongs to another project, and only an approver of that one can give it away.",
    "hub_here_usage": "/here NAME gives this chat or topic to a project, /here off takes it back.",
    "hub_new": "“{name}” is open, for {project}.",
    "hub_new_greeting": "What you write here goes to {project}.",
    "hub_unreachable": "the projects' database cannot be reached; the topic, if it is there, belongs to no project",
    "hub_new_failed": "The topic could not be opened: {reason}",
    "hub_new_usage": "/new NAME opens a topic for a project; /new NAME TITLE gives it another title.",
    "hub_waits_for_session": (
        "💤 {count} saved for {project}, where no session is running. Nothing is lost; delivery follows when one "
        "starts."
    ),
    "hub_waits_for_machine": (
        "💤 {count} saved for {project}, whose machine is away. Nothing is lost; delivery follows when it is back."
    ),
    "hub_start_offer": "💤 No session works on {project}. {count} saved; nothing is lost. Start one?",
    "hub_start": "Start",
    "hub_later": "Later",
    "hub_start_later": "Later. It is kept, and {project} gets it with its next session.",
    "hub_starting": "Starting {project}… ({user})",
    "hub_start_impossible": (
        "{project} cannot be started from here now. It is kept; start a session on its machine, and it arrives."
    ),
    "hub_started": "▶ A session works on {project} now. What waited arrives there.",
    "hub_start_failed": "⚠ {project} was not started: {reason} What you wrote is kept.{lines}",
    "hub_start_forbidden": "its settings do not allow it any more.",
    "hub_start_not_approver": "the person who asked is not an approver of it any more.",
    "hub_start_no_program": "the program {program} is not on its machine, or not where the keeper looks for it.",
    "hub_start_no_folder": "its folder is gone.",
    "hub_start_system": "its machine refused ({error}).",
    "hub_start_ended": "the host ended, with code {code}.",
    "hub_start_silent": (
        "no session came up within {seconds} seconds, so the host was ended. It may have waited for an answer at its "
        "terminal: start it there once."
    ),
    "hub_start_no_keeper": "nobody told what became of it.",
    "help_hub": (
        "/projects – your projects, and which one gets what you write\n"
        "/new – open a topic for a project (approvers)\n/here – give this chat or topic to a project (approvers)\n"
    ),
    "menu_projects": "Your projects, and which one gets what you write",
    "menu_new": "Open a topic for a project",
    "menu_here": "Give this chat or topic to a project",
    # Loops: the same prompt again until the agent promises that it is done.
    "loop_usage": '/loop "work until the tests pass" --max 20 --until DONE',
    "loop_begun": (
        "🔁 Loop begun: the agent goes on with this, at most {most} rounds, until it promises {word}. "
        "/loop says how it stands; /stop ends it."
    ),
    "loop_round": "🔁 Round {round} of {most}",
    "loop_details": "· begun {age} ago by {user} · until the agent promises {word}",
    "loop_none": "No loop is running here. To begin one:",
    "loop_nothing_to_stop": "No loop is running here.",
    "loop_stopped": "⏹ The loop has ended.",
    "loop_runs": "A loop is running in the agent's session already. /loop says how it stands; /stop ends it.",
    "loop_approvers_only": "Only an approver can begin a loop. The operator makes you one: {command}",
    "loop_no_hooks": (
        "The agent's session runs none of our hooks, which begin the rounds. Run channels setup in a terminal, then "
        "start the session again."
    ),
    "loop_ended_promised": "✅ Loop done in round {round} of {most}: the agent promised {word}.",
    "loop_ended_rounds": "🔁 Loop ended: its {most} rounds are over, and the agent has not promised {word}.",
    "loop_ended_stopped": "⏹ Loop stopped by {user} in round {round} of {most}.",
    "loop_ended_failed": "⚠️ Loop ended in round {round} of {most}: the agent could not go on.",
    "loop_ended_interrupted": "⏹ Loop ended in round {round} of {most}: somebody interrupted it at the terminal.",
    "loop_ended_gone": "⚠️ Loop ended in round {round} of {most}: the agent's session is gone.",
    "loop_ended_blocked": (
        "⚠️ Loop ended after round {round} of {most}: the agent's host begins no more rounds in a row, and there is no "
        "other way to wake it."
    ),
    "loop_ended_second": "⚠️ Loop ended: another one is running in the agent's session.",
    "loop_wrong_prompt": 'Say what the agent should do, such as: /loop "work until the tests pass"',
    "loop_wrong_length": "The text of a loop may have {most} characters; put more into a file, and name the file.",
    "loop_wrong_max": "--max takes a number from 1 to {most}, not “{value}”.",
    "loop_wrong_word": (
        "--until takes at most {most} characters on one line, without < and >, such as DONE; not “{value}”."
    ),
    "loop_wrong_twice": "{option} may be given once.",
    "loop_wrong_option": (
        "{option} needs a value, and stands before or after the text, not in its middle, such as: {usage}"
    ),
    "loop_wrong_quote": "The quotation mark at the end of the text is missing.",
    # Taps on buttons, and what becomes of the answer.
    "tap_accepted": "{label}",
    "tap_relayed": "{label}: on its way to the session.",
    "tap_whole_change": "The whole change comes as a file.",
    "tap_unknown": "This button no longer works.",
    "tap_expired": "This question has expired.",
    "tap_closed": "This question is closed.",
    "tap_answered": "Already answered: {label}",
    "tap_foreign": "This question is for somebody else.",
    "tap_foreign_named": "This question is for somebody else: {people}.",
    "tap_not_allowed": "You are not allowed to answer here.",
    "tap_not_allowed_id": (
        "You are not allowed to answer here. The bot's operator can change that; your id is {user_id}."
    ),
    "tap_approvers_only": "Only an approver may answer this. The operator makes you one: {command}",
    "outcome_answered": "✅ {label} · {user}",
    "outcome_as_message": "✅ {label} · {user} – given to the agent as a message",
    "outcome_chosen": "☑️ {label} · {user}",
    "outcome_delivered": "☑️ {label} · {user} – passed on to the session",
    "outcome_undelivered": "⌛ {label} · {user} – not delivered: the session no longer waits for it",
    "button_other": "Other…",
    "button_done": "Done",
    "button_allow": "Allow",
    "button_allow_once": "Allow once",
    "button_allow_session": "Allow for this session",
    "button_whole_change": "Whole diff",
    "button_deny": "Deny",
    "form_title": "Your answer",
    # Questions of the agent.
    "prompt_type_answer": "Type your answer as a message.",
    "prompt_choose_first": "Choose at least one first.",
    "prompt_ended": "This question has ended; your answer was not delivered.",
    "panel_moved": "⌛ Not answered here: the project is at {bot} now, and asks again there if it has to.",
    "bot_moved": "{project} is at {bot} from now on: write there, nobody reads this bot any more. {link}",
    "prompt_unanswered": "⌛ Closed without an answer.",
    "prompt_timed_out": "⌛ Closed: nobody answered in time.",
    "prompt_withdrawn": "⌛ Closed: the question was withdrawn.",
    "card_body_in_file": "(the full request is in the file above)",
    "card_change_new": "{file} (new file)",
    "card_change_unseen": "{file} (what it holds now is not shown)",
    "card_change_none": "Nothing changes, or only what is not shown here.",
    "card_change_cut": "… and {lines} more lines.",
    "card_line_cut": "… and the rest of the line.",
    "card_session": "“Allow for this session” allows {allowed}, and nothing else.",
    "card_session_command": "exactly this command",
    "card_session_file": "every change to this file",
    "card_permission_head": "🔐 The agent asks for permission: {tool}",
    "card_permission_foot": (
        "Project {project}. Request {request_id}: tap a button, or type yes {request_id} or no {request_id}."
    ),
    "card_policy": "Asked by {rule} of the policy.",
    "card_policy_several": "{count} different approvers have to allow it.",
    "approval_counted": "Counted: {count} of {needed}. Another approver has to allow it too.",
    "approval_once": "You have allowed it already; another approver has to.",
    "card_question_head": "❓ {header}",
    "card_question_foot": "Project {project}.",
    "card_secrets_head": "🔑 The agent wants to send passwords or keys ({count}) to {chat}. Masked, it reads:",
    "card_unsearched_head": "A file for {chat} cannot be searched for passwords and keys",
    "card_unsearched_body": "{file} is locked, very large or packed in a way that cannot be unpacked here.",
    "button_send_masked": "Send it masked",
    "button_send_as_it_is": "Send it as it is",
    "button_send_nothing": "Don't send it",
    "secret_received": (
        "🔑 Your message seems to hold a password or key. The agent gets it as it is; what is saved of it here is "
        "masked. Delete the message from this chat?"
    ),
    "secret_received_yours": (
        "🔑 Your message seems to hold a password or key. The agent gets it as it is; what is saved of it here is "
        "masked. I cannot delete it from this chat: please do that yourself."
    ),
    "button_delete_message": "🗑 Delete it",
    "button_keep_message": "Keep it",
    "secret_deleted": "Deleted.",
    "secret_not_deleted": "I may not delete it here; please delete it yourself.",
    # Summaries of videos.
    "yt2pdf_usage": "Write the video's link behind it: /yt2pdf https://youtu.be/…",
    "yt2pdf_offer": "A summary of this video as PDFs?",
    "button_yt2pdf": "📄 Make it",
    "button_notes": "Notes (.md)",
    "button_transcript": "Transcript",
    "button_delete": "Delete",
    "button_pdf": "PDF ({language})",
    "yt2pdf_links_work": "The links work for {days} days.",
    "yt2pdf_links_work_one": "The links work for 1 day.",
    "yt2pdf_not_uploaded": "The PDFs could not be uploaded, so here they are.",
    # Notices about waiting messages.
    "your_message": "Your message is",
    "your_messages": "Your {count} messages are",
    "messages_one": "1 message",
    "messages_many": "{count} messages",
    "notice_not_offered": "{count} saved, but no agent has picked up yet{reason}. Nothing is lost.",
    "notice_offered": "{count} saved and with the agent's session, but there is no answer yet{reason}.",
    "notice_late": "{count} saved while I was away, and now with the agent.",
    "reason_not_reading": "its program has not read anything for {seconds} s",
    "reason_next_turn": "the session takes messages at its next turn",
    # Files, pictures and voice notes.
    "text_in_file": "📄 The full text is in the file.",
    "forwarded": "[forwarded from {name}]",
    "transcript": "(transcript, may be wrong) {text}",
    "transcript_replied": "(transcript of the voice note replied to, may be wrong) {text}",
    "picture_not_downloaded": "[the picture could not be downloaded: {reason}]",
    "picture_not_downloaded_many": "[{count} pictures could not be downloaded: {reason}]",
    "voice_not_downloaded": "[the voice note could not be downloaded: {reason}]",
    "voice_not_downloaded_many": "[{count} voice notes could not be downloaded: {reason}]",
    "voice_not_transcribed": "[the voice note could not be transcribed: {reason}; its file is available]",
    "voice_not_transcribed_many": "[{count} voice notes could not be transcribed: {reason}; their files are available]",
    # What a message holds, or the platform says, where there is no text.
    "kind_unknown": "(a kind this version cannot read: {kind})",
    "kind_elsewhere": "a message in another chat",
    "kind_venue": "venue",
    "kind_location": "location",
    "kind_contact": "contact",
    "kind_dice": "dice",
    "kind_poll": "poll",
    "kind_checklist": "checklist",
    "kind_task": "task",
    "kind_done": "done",
    "kind_not_done": "not done",
    "kind_added": "added",
    "kind_removed": "deleted",
    "kind_shared": "shared",
    "kind_shared_chat": "shared chat",
    "kind_web_app": "web app",
    "kind_gift": "gift",
    "kind_game": "game",
    "kind_invoice": "invoice",
    "kind_payment": "payment",
    "kind_refund": "refunded payment",
    "kind_giveaway": "giveaway",
    "kind_story": "story",
    "kind_paid_media": "paid media",
    "kind_giveaway_winners": "giveaway winners",
    "service_joined": "somebody joined",
    "service_left": "somebody left",
    "service_title": "the group has a new name",
    "service_photo": "the group has a new picture",
    "service_photo_removed": "the group's picture was removed",
    "service_created": "the group was created",
    "service_auto_delete": "when messages are deleted was changed",
    "service_migrated": "the group became a supergroup",
    "service_pinned": "a message was pinned",
    "service_website": "logged in to a website",
    "service_write_access": "the bot was allowed to write",
    "service_passport": "documents of identity",
    "service_proximity": "somebody came near",
    "service_boost": "the group was boosted",
    "service_background": "the chat has a new background",
    "service_topic_created": "a topic was opened",
    "service_topic_edited": "a topic was changed",
    "service_topic_closed": "the topic was closed",
    "service_topic_reopened": "the topic was reopened",
    "service_general_hidden": "the General topic was hidden",
    "service_general_shown": "the General topic is shown again",
    "service_giveaway_created": "a giveaway was announced",
    "service_giveaway_completed": "a giveaway ended",
    "service_gift_upgrade": "the upgrade of a gift was paid for",
    "service_video_scheduled": "a video chat was scheduled",
    "service_video_started": "a video chat began",
    "service_video_ended": "the video chat ended",
    "service_video_invited": "people were invited to a video chat",
    "service_message_price": "the price of messages was changed",
    "service_post_approved": "a suggested post was approved",
    "service_post_failed": "a suggested post could not be approved",
    "service_post_declined": "a suggested post was declined",
    "service_post_paid": "a suggested post was paid for",
    "service_post_refunded": "the payment for a suggested post was returned",
    "service_owner_left": "the chat's owner left",
    "service_owner_changed": "the chat has a new owner",
    "service_managed_bot": "a bot was made",
    "service_community_added": "the chat was added to a community",
    "service_community_removed": "the chat was removed from a community",
    "service_community_joined": "somebody joined from a community",
    "kind_poll_ended": "poll ended",
    "kind_sticker": "sticker",
    "kind_invitation": "an invitation to join in",
    "kind_call": "a call",
    "kind_thread": "a thread was opened",
    "kind_system": "a system message",
    "kind_empty": "a message without text",
    "thread_starter": "(this thread began with a message of {user})",
    "thread_starter_gone": "(the message that this thread began with is gone)",
}
