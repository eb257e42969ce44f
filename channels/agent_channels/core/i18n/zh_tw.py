"""Every sentence a person reads in a chat, in Traditional Chinese as it is written in Taiwan."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "pairing_code": (
        "你好。這個機器人屬於某人的程式代理，而你還不在它的名單上。\n\n"
        "你的配對碼：{code}\n\n"
        "請把它交給操作者，操作者用這個指令讓你加入：\n{command}\n\n"
        "配對碼一小時內有效。在那之前你寫的內容會保留（最多前 {kept} 則訊息），加入後就會轉交。"
    ),
    "pairing_crowded": (
        "你好。這個機器人屬於某人的程式代理，而目前等候加入的人太多了。"
        "請一小時後再試，或請操作者用這個指令讓你加入：\n{command}"
    ),
    "text_in_file": "📄 全文在檔案裡。",
    "paired": "已配對。{name}，你好，從現在起你在這裡寫的內容會送到代理。",
    "start": "你已配對。你在這裡寫的內容會送到代理；它顯示按鈕時，點一個，或輸入按鈕上的文字。",
    "help": (
        "你在這裡寫的內容會送到代理：文字、圖片、檔案、語音訊息。\n"
        "它顯示按鈕時，點一個，或輸入按鈕上的文字或編號。\n\n"
        "/status – 有人在聽嗎？\n/inbox – 有什麼在等代理處理\n/cancel – 關閉未答的問題\n"
        "/session status – 誰在讀這裡，保留了什麼\n/session clear – 忘掉這個聊天，重新開始\n"
        "/session export – 把這個聊天匯出成檔案\n/help – 這段說明"
    ),
    "status": "已連線，身分是 {bot}。{waiting}",
    "status_none": "每則訊息都已得到回覆。",
    "status_open": "有 {count} 則在等代理處理。",
    "inbox_none": "這個聊天裡沒有訊息在等代理處理。",
    "inbox_head": "這個聊天裡有 {count} 則在等候：",
    "inbox_line": "• {age} – {text}",
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
        "/session status – 誰在讀這裡，保留了什麼\n"
        "/session clear – 忘掉這個聊天，重新開始\n/session export – 把這個聊天匯出成檔案"
    ),
    "session_status": (
        "{client} 正在專案 {project} 裡讀這個聊天，至今 {age}。訊息經由 {mode} 送達（{why}）。\n{history}"
    ),
    "some_host": "一個工作階段",
    "history_kept": "這個聊天保留了 {count} 則訊息，最早的是 {since}。",
    "history_none": "這個聊天沒有保留任何內容。",
    "session_cleared": "已忘掉這個聊天的 {count} 則訊息。代理會被告知重新開始。",
    "session_not_allowed": "在群組裡，屬於大家的內容只有核准者可以清除。",
    "event_cleared": (
        "（對方要求重新開始：這個聊天保存的記錄已刪除。請把先前在這裡說過的都當作已忘記，不要再提起。"
        "只要簡短回一句已準備好即可。）"
    ),
    "exported": "已傳送。",
    "export_failed": "檔案無法傳送。",
    "passed_on": "已轉交給代理。",
    "menu_status": "有人在聽嗎？",
    "menu_inbox": "這個聊天裡有什麼在等代理處理",
    "menu_cancel": "關閉這個聊天裡未答的問題",
    "menu_session": "這個聊天的記憶：status、clear、export",
    "menu_help": "這個機器人做什麼",
    "tap_done": "{label}",
    "tap_unknown": "這個按鈕已經失效。",
    "tap_expired": "這個問題已經過期。",
    "tap_closed": "這個問題已經關閉。",
    "tap_answered": "已經回答過了：{label}",
    "tap_foreign": "這個問題是問別人的。",
    "tap_not_allowed": "你不能在這裡回答。",
    "outcome": "✅ {label} · {user}",
    "one_message": "你的訊息",
    "messages": "你的 {count} 則訊息",
    "count_one": "1 則訊息",
    "count_many": "{count} 則訊息",
    "kept_unoffered": "{count}已保留，還沒有代理取走{reason}。什麼都不會遺失。",
    "kept_offered": "{count}已保留並交到代理的工作階段；還沒有回覆{reason}。",
    "kept_late": "我不在時保留的 {count}，現在已交給代理。",
    "why_not_read": "它的程式已有 {seconds} 秒沒有讀取",
    "why_next_turn": "這個工作階段在下一輪才取訊息",
    "outcome_sent": "☑️ {label} · {user} – 已轉交給工作階段",
    "outcome_given": "☑️ {label} · {user}",
    "outcome_lost": "⌛ {label} · {user} – 沒有送到任何地方：工作階段已不再等候",
    "button_other": "其他…",
    "button_done": "完成",
    "form_title": "你的回答",
    "type_other": "請把回答寫成一則訊息傳來。",
    "choose_first": "請先至少選一項。",
    "prompt_gone": "這個問題已經不在了；你的回答沒有送到任何地方。",
    "prompt_over": "⌛ 已關閉，沒有回答。",
    "ask_timeout": "⌛ 已關閉：沒有人及時回答。",
    "ask_cancelled": "⌛ 已關閉：問題被收回。",
    "card_in_file": "（完整的請求在上面的檔案裡）",
    "card_permission": "🔐 代理請求許可：{tool}",
    "card_question": "❓ {header}",
    "card_foot": "專案 {project}。請求 {request_id}：點按鈕，或輸入 yes {request_id} 或 no {request_id}。",
    "card_question_foot": "專案 {project}。",
    "allow": "允許",
    "deny": "拒絕",
    "verdict": "{label}：正送往工作階段。",
    "waiting_ended": "終端機裡的工作階段不再等候這裡的訊息。",
    "forwarded": "[轉傳自 {name}]",
    "image_failed": "[圖片無法下載：{reason}]",
    "image_failed_many": "[{count} 張圖片無法下載：{reason}]",
    "transcript": "（語音轉文字，可能有誤）{text}",
    "voice_missing": "[語音訊息無法下載：{reason}]",
    "voice_missing_many": "[{count} 則語音訊息無法下載：{reason}]",
    "voice_failed": "[語音訊息無法轉成文字：{reason}；檔案還在]",
    "voice_failed_many": "[{count} 則語音訊息無法轉成文字：{reason}；檔案都還在]",
}
