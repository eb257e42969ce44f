"""Every sentence that people read in a chat, in Traditional Chinese as written in Taiwan."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    # Pairing.
    "pairing_code": (
        "你好！這個機器人屬於某人的程式代理，而你還沒有使用權限。\n\n"
        "你的配對碼：{code}\n\n"
        "請把它交給機器人的操作者，操作者可以用這個指令讓你加入：\n{command}\n\n"
        "配對碼一小時內有效。在那之前，你傳的前 {kept} 則訊息會保留，加入後就會送達。"
    ),
    "pairing_code_again": (
        "你還沒有使用權限。你的配對碼仍是 {code}，再一小時內有效。機器人的操作者可以用這個指令讓你加入：\n{command}"
    ),
    "pairing_silent": "在你加入之前，或配對碼到期之前，我不會再回覆這裡的訊息。",
    "invite_used": "這個邀請已經用過了：每個邀請只能讓一個人加入。請向操作者要一個新的。",
    "invite_expired": "這個邀請已經過期。請向操作者要一個新的。",
    "pairing_queue_full": (
        "你好！這個機器人屬於某人的程式代理，而目前等候加入的人太多了。"
        "請一小時後再試，或請操作者用這個指令讓你加入：\n{command}"
    ),
    "paired": "已配對。{name}，你好！從現在起，你在這裡寫的內容都會送到代理。",
    # Commands.
    "start": "你已配對：你在這裡寫的內容都會送到代理。它顯示按鈕時，請點一個，或輸入按鈕上的文字。",
    "help": (
        "你在這裡傳的內容都會送到代理：文字、圖片、檔案、語音訊息。\n"
        "它顯示按鈕時，請點一個，或輸入按鈕上的文字或編號。\n\n"
        "/status – 機器人連線了嗎？\n/stop – 停止代理正在做的事\n"
        "/progress – 代理工作時你看到什麼\n/loop – 讓代理一輪一輪做到完成（核准者）\n"
        "/inbox – 等代理處理的訊息\n/cancel – 關閉未答的問題\n"
        "/end – 讓終端機裡的工作階段不再等候訊息\n"
        "/session status – 誰在讀這個聊天，保留了什麼\n/session clear – 忘掉這個聊天，重新開始\n"
        "/session export – 把這個聊天匯出成檔案\n/help – 這段說明"
    ),
    "status": "已連線，身分是 {bot}。{waiting}",
    "status_agent": "代理：{client}，專案 {project}；訊息經由 {mode} 送達：{why}。",
    "status_all_answered": "每則訊息都已得到回覆。",
    "status_waiting": "等代理處理的訊息：{count} 則。",
    "inbox_empty": "這個聊天裡沒有訊息在等代理處理。",
    "inbox_heading": "這個聊天裡有 {count} 則在等候：",
    "inbox_waiting": "• {age} – {text}",
    "inbox_offered": "• {age}，已交給代理 – {text}",
    "inbox_more": "…還有 {count} 則",
    "age_d": "{count} 天",
    "age_h": "{count} 小時",
    "age_min": "{count} 分鐘",
    "age_s": "{count} 秒",
    "cancelled": "✖️ 已取消 · {user}",
    "cancelled_none": "這裡沒有你可以取消的未答問題。",
    "cancelled_one": "已關閉 1 個問題。",
    "cancelled_many": "已關閉 {count} 個問題。",
    "session_usage": (
        "/session status – 誰在讀這個聊天，保留了什麼\n"
        "/session clear – 忘掉這個聊天，重新開始\n/session export – 把這個聊天匯出成檔案"
    ),
    "session_status": ("{client}（專案 {project}）讀這個聊天至今 {age}。訊息經由 {mode} 送達：{why}。\n{history}"),
    "session_unknown_client": "一個代理",
    "history_saved": "這個聊天保留的訊息：{count} 則，最早的是 {since}。",
    "history_empty": "這個聊天沒有保留任何訊息。",
    "session_cleared": "已刪除保留的訊息：{count} 則。已告訴代理重新開始。",
    "approvers_only": "在群組裡，只有核准者可以使用這個指令。",
    "session_cleared_event": (
        "（對方要求重新開始：這個聊天保存的記錄已刪除。請把先前在這裡說過的都當作已忘記，不要再提起。"
        "只要簡短回一句已準備好即可。）"
    ),
    "session_exported": "已傳送。",
    "session_export_failed": "檔案無法傳送。",
    "command_passed_on": "已送到代理。",
    "waiting_ended": "終端機裡的工作階段不再等候這個聊天的訊息。",
    "waiting_none": "目前沒有終端機工作階段在等候訊息。",
    "menu_status": "機器人連線了嗎？",
    "menu_stop": "停止代理正在做的事",
    "menu_progress": "代理工作時這個聊天看到什麼",
    "menu_loop": "讓代理一輪一輪做到完成",
    "menu_inbox": "這個聊天裡等代理處理的訊息",
    "menu_cancel": "關閉這個聊天裡未答的問題",
    "menu_session": "這個聊天的記錄：status、clear、export",
    "menu_help": "這個機器人能做什麼",
    # Turns: what the agent does, and how it ends.
    "turn_step": "1 步",
    "turn_steps": "{count} 步",
    "turn_file": "1 個檔案",
    "turn_files": "{count} 個檔案",
    "turn_running": "仍在執行：{what}",
    "progress_working": "⏳ 進行中：{summary}",
    "progress_stopping": "⏹ 正在停止… {summary}",
    "progress_step": "· {words}",
    "progress_running": "▸ {what}",
    "progress_asks": "🔐 正在等核准者回覆卡片",
    "progress_thinking": "思考中",
    "progress_words": "💬 {words}",
    "progress_plan_done": "☑ 先前已完成 {count} 項",
    "progress_more": "…還有 {count} 項",
    "progress_done": "✅ 完成（{summary}）",
    "progress_stopped": "⏹ 已由 {user} 停止（{summary}）",
    "progress_failed": "⚠️ 失敗（{summary}）",
    "progress_interrupted": "⏹ 在終端機被中斷（{summary}）",
    "progress_gone": "⌛ 工作階段已結束（{summary}）",
    "progress_in_force": "這個聊天的進度顯示：{level} – {what}。",
    "progress_off": "代理工作時不顯示任何內容",
    "progress_brief": "代理工作時顯示它在做什麼，結束後移除",
    "progress_on": "代理工作時顯示它在做什麼，以及如何結束",
    "progress_verbose": "同 on，另外顯示代理說的話，也顯示在終端機開始的工作",
    "progress_usage": "用 /progress off、brief、on 或 verbose 來變更。",
    "status_working": "進行中：{what}",
    "turn_compacting": "正在壓縮對話…",
    "turn_steered": "📨 你的訊息已在代理工作途中送達。",
    "turn_stopped": "⏹ 已由 {user} 停止（{summary}）。",
    "turn_failed_rate_limit": "⚠️ 代理無法繼續：已達用量上限。",
    "turn_failed_overloaded": "⚠️ 代理無法繼續：模型服務過載或中斷。",
    "turn_failed_login": "⚠️ 代理無法繼續：需要在終端機重新登入。",
    "turn_failed_billing": "⚠️ 代理無法繼續：帳號的帳單有問題。",
    "turn_failed_other": "⚠️ 代理無法繼續。",
    "turn_failed_kept": "你的訊息會保留，等代理恢復後再處理。",
    "turn_dialog": "⏸ 代理正在等終端機前的人：{message}",
    "session_ended_one": "💤 代理在 {project} 的工作階段已結束。你的訊息會保留給下一個。",
    "session_ended_many": "💤 代理在 {project} 的工作階段已結束。你的 {count} 則訊息會保留給下一個。",
    "stop_requested": "⏹ 正在停止：代理會在下一步結束。",
    "stop_too_late": "已經結束了。",
    "stop_already": "{user} 已經要求停止。",
    "stop_nothing": "代理目前沒有在為這個聊天工作。",
    "button_stop": "停止",
    "answer_from_terminal": "💻 *在終端機裡的回答：*",
    "answer_offer": "💻 代理在終端機回答了，但沒有傳到這裡。",
    "button_send": "傳到這裡",
    "button_dont_send": "不要",
    # Loops: the same prompt again until the agent promises that it is done.
    "loop_usage": '/loop "一直做到測試通過" --max 20 --until DONE',
    "loop_begun": (
        "🔁 迴圈開始：代理會一直做這件事，最多 {most} 輪，直到它承諾 {word}。輸入 /loop 看進度；輸入 /stop 結束。"
    ),
    "loop_round": "🔁 第 {round} 輪，共 {most} 輪",
    "loop_details": "· 由 {user} 在 {age}前開始 · 直到代理承諾 {word}",
    "loop_none": "這裡沒有迴圈在執行。要開始一個：",
    "loop_nothing_to_stop": "這裡沒有迴圈在執行。",
    "loop_stopped": "⏹ 迴圈已結束。",
    "loop_runs": "代理的工作階段已經有一個迴圈在執行。輸入 /loop 看進度；輸入 /stop 結束。",
    "loop_approvers_only": "只有核准者可以開始迴圈。請操作者執行：channels access {channel} approver add {user_id}",
    "loop_no_hooks": (
        "代理的工作階段沒有執行我們的 hook，而每一輪都由它開始。請在終端機執行 channels setup，再重新啟動工作階段。"
    ),
    "loop_ended_promised": "✅ 迴圈在第 {round} 輪完成（共 {most} 輪）：代理承諾了 {word}。",
    "loop_ended_rounds": "🔁 迴圈結束：{most} 輪都做完了，代理還沒有承諾 {word}。",
    "loop_ended_stopped": "⏹ 迴圈在第 {round} 輪由 {user} 停止（共 {most} 輪）。",
    "loop_ended_failed": "⚠️ 迴圈在第 {round} 輪結束（共 {most} 輪）：代理無法繼續。",
    "loop_ended_interrupted": "⏹ 迴圈在第 {round} 輪結束（共 {most} 輪）：有人在終端機中斷了它。",
    "loop_ended_gone": "⚠️ 迴圈在第 {round} 輪結束（共 {most} 輪）：代理的工作階段已經不在了。",
    "loop_ended_blocked": (
        "⚠️ 迴圈在第 {round} 輪之後結束（共 {most} 輪）：代理的主程式不再連續開始新的一輪，也沒有別的方法喚醒它。"
    ),
    "loop_ended_second": "⚠️ 迴圈結束：代理的工作階段已經有另一個迴圈在執行。",
    "loop_wrong_prompt": '請寫出代理要做什麼，例如：/loop "一直做到測試通過"',
    "loop_wrong_length": "迴圈的文字最多 {most} 個字元；更多的內容請放進檔案，並寫出檔名。",
    "loop_wrong_max": "--max 要是 1 到 {most} 的數字，不是「{value}」。",
    "loop_wrong_word": "--until 要是一行最多 {most} 個字元、沒有 < 和 > 的文字，例如 DONE；不是「{value}」。",
    "loop_wrong_twice": "{option} 只能寫一次。",
    "loop_wrong_option": "{option} 需要一個值，而且要寫在文字前面或後面，不在中間，例如：{usage}",
    "loop_wrong_quote": "文字最後少了引號。",
    # Taps on buttons, and what becomes of the answer.
    "tap_accepted": "{label}",
    "tap_relayed": "{label}：正送往工作階段。",
    "tap_whole_change": "完整的變更會以檔案傳來。",
    "tap_unknown": "這個按鈕已經失效。",
    "tap_expired": "這個問題已經過期。",
    "tap_closed": "這個問題已經關閉。",
    "tap_answered": "已經回答過了：{label}",
    "tap_foreign": "這個問題是問別人的。",
    "tap_not_allowed": "你不能在這裡回答。",
    "outcome_answered": "✅ {label} · {user}",
    "outcome_as_message": "✅ {label} · {user} – 已以訊息的方式交給代理",
    "outcome_chosen": "☑️ {label} · {user}",
    "outcome_delivered": "☑️ {label} · {user} – 已轉交給工作階段",
    "outcome_undelivered": "⌛ {label} · {user} – 沒有送達：工作階段已不再等候",
    "button_other": "其他…",
    "button_done": "完成",
    "button_allow": "允許",
    "button_allow_once": "允許這次",
    "button_allow_session": "這個工作階段都允許",
    "button_whole_change": "完整差異",
    "button_deny": "拒絕",
    "form_title": "你的回答",
    # Questions of the agent.
    "prompt_type_answer": "請把回答寫成一則訊息傳來。",
    "prompt_choose_first": "請先至少選一項。",
    "prompt_ended": "這個問題已經結束；你的回答沒有送達。",
    "prompt_unanswered": "⌛ 已關閉，沒有回答。",
    "prompt_timed_out": "⌛ 已關閉：沒有人及時回答。",
    "prompt_withdrawn": "⌛ 已關閉：問題被收回。",
    "card_body_in_file": "（完整的請求在上面的檔案裡）",
    "card_change_new": "{file}（新檔案）",
    "card_change_unseen": "{file}（目前的內容不顯示）",
    "card_change_none": "沒有任何變更，或只有這裡不顯示的部分有變更。",
    "card_change_cut": "……還有 {lines} 行。",
    "card_line_cut": "……這一行還有後續。",
    "card_session": "「這個工作階段都允許」只允許{allowed}，不包括其他。",
    "card_session_command": "與此完全相同的指令",
    "card_session_file": "對這個檔案的所有變更",
    "card_permission_head": "🔐 代理請求許可：{tool}",
    "card_permission_foot": ("專案 {project}。請求 {request_id}：點按鈕，或輸入 yes {request_id} 或 no {request_id}。"),
    "card_question_head": "❓ {header}",
    "card_question_foot": "專案 {project}。",
    # Notices about waiting messages.
    "your_message": "你的訊息",
    "your_messages": "你的 {count} 則訊息",
    "messages_one": "1 則訊息",
    "messages_many": "{count} 則訊息",
    "notice_not_offered": "{count}已保留，但還沒有代理取走{reason}。什麼都不會遺失。",
    "notice_offered": "{count}已保留並交到代理的工作階段，但還沒有回覆{reason}。",
    "notice_late": "我不在時保留的 {count}，現在已交給代理。",
    "reason_not_reading": "它的程式已有 {seconds} 秒沒有讀取",
    "reason_next_turn": "這個工作階段在下一輪才取訊息",
    # Files, pictures and voice notes.
    "text_in_file": "📄 全文在檔案裡。",
    "forwarded": "[轉傳自 {name}]",
    "transcript": "（語音轉文字，可能有誤）{text}",
    "picture_not_downloaded": "[圖片無法下載：{reason}]",
    "picture_not_downloaded_many": "[{count} 張圖片無法下載：{reason}]",
    "voice_not_downloaded": "[語音訊息無法下載：{reason}]",
    "voice_not_downloaded_many": "[{count} 則語音訊息無法下載：{reason}]",
    "voice_not_transcribed": "[語音訊息無法轉成文字：{reason}；檔案還在]",
    "voice_not_transcribed_many": "[{count} 則語音訊息無法轉成文字：{reason}；檔案都還在]",
}
