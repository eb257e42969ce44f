"""What the operator reads about Telegram, in Traditional Chinese as used in Taiwan, by the English sentence."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "the Telegram token does not look like one (it has {length} characters; BotFather gives digits, a colon and about "
    "35 more characters)": (
        "這不像是 Telegram 的 token（有 {length} 個字元；BotFather 給的是數字、冒號和後面大約 35 個字元）"
    ),
    "set it again with `channels setup telegram`": "請用 `channels setup telegram` 重新設定",
    "Telegram refuses the token (wrong or revoked)": "Telegram 拒絕這個 token（有誤或已撤銷）",
    "set the current one with `channels setup telegram`": "請用 `channels setup telegram` 設定目前的 token",
    "Telegram's rate limit: too many requests, retry after {seconds:.0f} s": (
        "Telegram 的速率限制：請求太多，請在 {seconds:.0f} 秒後再試"
    ),
    "Telegram's answer could not be read ({name})": "無法解讀 Telegram 的回應（{name}）",
    "Telegram did not answer in time": "Telegram 沒有及時回應",
    "the connection to Telegram failed: {text}": "與 Telegram 的連線失敗：{text}",
    "{count:,} update waits at Telegram": "有 {count:,} 個更新在 Telegram 等候",
    "{count:,} updates wait at Telegram": "有 {count:,} 個更新在 Telegram 等候",
    "end the other program (another machine, another user, another bot framework with this token); if it cannot be "
    "found, revoke the token with @BotFather (/revoke) and set the new one with `channels setup telegram`": (
        "請結束另一個程式（另一台電腦、另一個使用者，或另一個使用這個 token 的機器人框架）；找不到的話，請向 @"
        "BotFather "
        "撤銷 token（/revoke），再用 `channels setup telegram` 設定新的"
    ),
    "privacy mode is on, and messages that do not name the bot shall count in {affected}: Telegram passes on only "
    "mentions, replies and commands": (
        "隱私模式已開啟，但 {affected} 設定為沒有提到機器人的訊息也算數：Telegram 只會轉交提及、回覆和指令"
    ),
    "in Telegram, write /setprivacy to @BotFather, choose the bot, Disable; then remove it from the group and add it "
    "again": "在 Telegram 傳 /setprivacy 給 @BotFather，選擇機器人，再選 Disable；然後把它移出群組，再重新加入",
    "switch them on in @BotFather's app, in the settings of the bot": (
        "請在 @BotFather 的應用程式裡，到機器人的設定開啟"
    ),
    "1. In Telegram, write /newbot to @BotFather and answer its two questions (a name, a username that ends in "
    '"bot").\n'
    "2. Copy the token that it sends: digits, a colon, 35 characters.": (
        "1. 在 Telegram 傳 /newbot 給 @BotFather，並回答它的兩個問題（名稱，以及以「bot」結尾的使用者名稱）。\n"
        "2. 複製它傳來的 token：數字、冒號和 35 個字元。"
    ),
    "no webhook is set": "沒有設定 webhook",
    "a webhook is set for this bot, so it cannot be polled": "這個機器人設定了 webhook，所以無法輪詢",
    "it leads to {host}; {pending}": "它指向 {host}；{pending}",
    "a server that reads this bot removes it on its own; if it comes back, another program sets it: find that program, "
    "or give this one a bot of its own": (
        "讀取這個機器人的伺服器會自動移除它；如果又出現，就是另一個程式設定的：請找出那個程式，或改用另一個機器人"
    ),
    "our reader meets no other": "我們的讀取程式沒有遇到別的讀取者",
    "process {pid} on {host}": "{host} 上的行程 {pid}",
    "not checked here, since it interrupts the other for a moment; run `channels doctor`": (
        "這裡不檢查，因為會暫時打斷對方；請執行 `channels doctor`"
    ),
    "cannot be found out while a webhook is set": "設定了 webhook 時無法得知",
    "our reader (process {pid}) reports it: {error}": "我們的讀取程式（行程 {pid}）回報：{error}",
    "a poll of ours ended with 409 Conflict, and no program of this user's holds the bot's lock": (
        "我們的輪詢以 409 Conflict 結束，而這個使用者沒有程式持有機器人的鎖"
    ),
    "nobody else polls this bot": "沒有別的程式輪詢這個機器人",
    "a poll of {seconds} s met no other": "輪詢 {seconds} 秒，沒有遇到別的程式",
    "another program polls this bot, so each gets only a part of the messages": (
        "另一個程式也在輪詢這個機器人，所以各自只會收到一部分訊息"
    ),
    "privacy mode is off: the bot sees every message of its groups": "隱私模式已關閉：機器人看得到群組裡的每則訊息",
    "privacy mode is on: in groups the bot sees mentions, replies and commands only": (
        "隱私模式已開啟：在群組裡，機器人只看得到提及、回覆和指令"
    ),
    "fine as it is, unless other messages of a group should count too: then `channels access telegram group add ID "
    "--no-mention` (or `--pattern REGEX` in its place), and {how}": (
        "這樣就可以，除非群組裡的其他訊息也要算數：那樣的話，請執行 "
        "`channels access telegram group add ID --no-mention`（或改用 `--pattern REGEX`），並且 {how}"
    ),
    "tables and task lists are sent as text: rich is off": "表格和待辦清單以文字傳送：rich 設為 off",
    "the server knows rich messages": "伺服器支援豐富訊息",
    "the Bot API server is older than 10.1 and knows no rich messages: tables and task lists arrive as text": (
        "Bot API 伺服器比 10.1 舊，不支援豐富訊息：表格和待辦清單會以文字送達"
    ),
    "update the Bot API server that api_root names, or set `rich: off`": (
        "請更新 api_root 指定的 Bot API 伺服器，或設定 `rich: off`"
    ),
    "private chats with the bot have topics: a message written outside a topic begins a new one each time": (
        "與機器人的私人聊天有主題：寫在主題之外的每則訊息都會開一個新主題"
    ),
    "answers stay in their topic; write inside one to go on there": "回覆會留在原來的主題；要繼續，請在那個主題裡寫",
    "topics: on is set, but private chats with the bot have no topics": (
        "設定了 topics: on，但與機器人的私人聊天沒有主題"
    ),
    "{evidence}; the Bot API server refused to switch them on, or is older than Bot API 10.5": (
        "{evidence}；Bot API 伺服器拒絕開啟，或比 Bot API 10.5 舊"
    ),
    "private chats with the bot have no topics": "與機器人的私人聊天沒有主題",
    "{evidence}; `topics: on` in config.yaml switches them on": "{evidence}；在 config.yaml 設定 `topics: on` 就會開啟",
    "getMe: has_topics_enabled is {enabled}": "getMe：has_topics_enabled 是 {enabled}",
    "getMe: can_read_all_group_messages is false": "getMe：can_read_all_group_messages 是 false",
    "Telegram has a fault: {fault}; nothing is wrong here: wait a few minutes": (
        "Telegram 發生故障：{fault}；這裡沒有問題：請等幾分鐘"
    ),
    "the hub's reader (process {pid}) reports it: {error}": "hub 的讀取程式（行程 {pid}）回報：{error}",
    "the hub's reader meets no other": "hub 的讀取程式沒有遇到別的讀取者",
    "a webhook was set for this bot and was removed, since it is read by polling": (
        "這個機器人原本設定了 webhook，已經移除，因為這裡用輪詢讀取"
    ),
}
