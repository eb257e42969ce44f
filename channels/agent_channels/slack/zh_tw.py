"""What the operator reads about Slack, in Traditional Chinese as used in Taiwan, by the English sentence."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "set it again with `channels setup slack`": ("請用 `channels setup slack` 重新設定"),
    "set it with `channels setup slack`": ("請用 `channels setup slack` 設定"),
    "set the current one with `channels setup slack`": ("請用 `channels setup slack` 設定目前的 token"),
    "Slack closed the socket (code {code})": ("Slack 關閉了連線（代碼 {code}）"),
    "Slack closed the socket ({reason})": ("Slack 關閉了連線（{reason}）"),
    "Slack's socket sends no greeting": ("Slack 的連線沒有送來開場訊息"),
    "Slack does not take the file (HTTP {status})": ("Slack 不接受這個檔案（HTTP {status}）"),
    "Slack forbids it: {reason}": ("Slack 不允許：{reason}"),
    "Slack has a fault (HTTP {status})": ("Slack 發生故障（HTTP {status}）"),
    "Slack has a fault (HTTP {status}); nothing is wrong here: wait a few minutes": (
        "Slack 發生故障（HTTP {status}）；這裡沒有問題：請等幾分鐘"
    ),
    "Slack has a fault ({code})": ("Slack 發生故障（{code}）"),
    "Slack names a socket that is not encrypted; it is not used": ("Slack 給的連線位址沒有加密，所以不使用"),
    "Slack names an address for the file that is not encrypted; it is not used": (
        "Slack 給的檔案位址沒有加密，所以不使用"
    ),
    "Slack refuses the token (wrong or revoked)": ("Slack 拒絕這個 token（有誤或已撤銷）"),
    "Slack's answer could not be read ({name})": ("無法解讀 Slack 的回應（{name}）"),
    "Slack's rate limit: too many requests, retry after {seconds:.0f} s": (
        "Slack 的速率限制：請求太多，請在 {seconds:.0f} 秒後再試"
    ),
    "Slack does not say what the bot token is allowed": ("Slack 沒有說明這個機器人 token 有哪些權限"),
    "no x-oauth-scopes in the answer of auth.test": ("auth.test 的回應裡沒有 x-oauth-scopes"),
    "add them under OAuth & Permissions at {where} and install the app again": (
        "請到 {where} 的 OAuth & Permissions 加上，然後重新安裝應用程式"
    ),
    "no Slack app-level token is set, so nothing can be read": (
        "沒有設定 Slack 的 app-level token，所以無法讀取任何訊息"
    ),
    "see at {where} that Socket Mode is on, and make a token with connections:write under Basic "
    "Information, App-Level Tokens; then `channels setup slack`": (
        "請到 {where} 確認 Socket Mode 已開啟，並在 Basic Information 的 App-Level Tokens 產生一個有 "
        "connections:write 的 token；然後執行 `channels setup slack`"
    ),
    "the Slack app lacks the scope {scope}: add it under OAuth & Permissions at "
    "https://api.slack.com/apps and install the app again": (
        "這個 Slack 應用程式缺少權限範圍 {scope}：請到 https://api.slack.com/apps 的 OAuth & Permissions "
        "加上，然後重新安裝應用程式"
    ),
    "the Slack app-level token does not look like one (it has {length} characters; under Basic "
    "Information, App-Level Tokens, the app's page gives one that begins with xapp-)": (
        "這不像是 Slack 的 app-level token（有 {length} 個字元；應用程式網頁 Basic Information 的 "
        "App-Level Tokens 給的以 xapp- 開頭）"
    ),
    "the Slack bot token does not look like one (it has {length} characters; under OAuth & Permissions "
    "the app's page gives one that begins with xoxb-; one with rotation, which begins with xoxe, cannot "
    "be used)": (
        "這不像是 Slack 的機器人 token（有 {length} 個字元；應用程式網頁的 OAuth & Permissions 給的以 xoxb- "
        "開頭；會輪替的以 xoxe 開頭，不能使用）"
    ),
    "the app-level token opens no connection: {error}": ("app-level token 無法開啟連線：{error}"),
    "the app-level token opens connections": ("app-level token 可以開啟連線"),
    "the bot token has every scope it needs": ("機器人 token 有所有需要的權限範圍"),
    "the bot is in {groups} enabled channels": ("機器人在 {groups} 個啟用的頻道裡"),
    "the bot is not in {place}": ("機器人不在 {place} 裡"),
    "the bot token lacks {scopes}": ("機器人 token 缺少 {scopes}"),
    "the file lies at {host}, not with Slack; ask the sender for the file itself": (
        "檔案放在 {host}，不在 Slack；請對方直接傳檔案"
    ),
    "{count} of {total} scopes": ("{total} 個權限範圍中有 {count} 個"),
    "{place} is archived": ("{place} 已封存"),
    "no other program is known to be connected to this app": ("就目前所知，沒有其他程式連到這個應用程式"),
    "other programs are connected to this Slack app and take messages away": (
        "有其他程式連到這個 Slack 應用程式，會把訊息拿走"
    ),
    "end the other programs, or give this project an app of its own": ("請結束那些程式，或給這個專案自己的應用程式"),
    "no channel is enabled; direct messages only": ("沒有啟用任何頻道；只接收私訊"),
    "write /invite @ and the bot's name in a channel, then `channels access slack group add CHANNEL_ID`": (
        "請在頻道裡輸入 /invite @ 加上機器人的名字，再執行 `channels access slack group add CHANNEL_ID`"
    ),
    "write /invite @ and the bot's name in each of them": ("請在每個頻道裡輸入 /invite @ 加上機器人的名字"),
    "Socket Mode is switched off for this Slack app: switch it on under Socket Mode at https://api.slack.com/apps": (
        "這個 Slack 應用程式的 Socket Mode 已關閉：請到 https://api.slack.com/apps 的 Socket Mode 開啟"
    ),
    "1. Open https://api.slack.com/apps?new_app=1, choose From a "
    "manifest and your workspace, and paste the manifest above.\n"
    "2. Choose Create, then Install to Workspace, and Allow.\n"
    "3. Under OAuth & Permissions, copy the Bot User OAuth Token: it begins with xoxb-.\n"
    "4. Under Basic Information, App-Level Tokens, generate one "
    "with the scope connections:write: it begins with xapp-.": (
        "1. 打開 https://api.slack.com/apps?new_app=1，選擇 From a manifest 和你的工作區，貼上上面的 manifest。\n"
        "2. 選擇 Create，再選 Install to Workspace 和 Allow。\n"
        "3. 在 OAuth & Permissions 複製 Bot User OAuth Token：以 xoxb- 開頭。\n"
        "4. 在 Basic Information 的 App-Level Tokens 產生一個有 connections:write 的 token：以 xapp- 開頭。"
    ),
    "its first half was sent, and not what belongs under it: {reason}": (
        "前半部分已送出，但屬於它下面的部分沒有送出：{reason}"
    ),
    "fetching what was missed, since {since}; chats left: {count}": (
        "自 {since} 起正在補抓錯過的訊息；還剩 {count} 個聊天"
    ),
    "the history of {chat} cannot be read: {error}": "無法讀取 {chat} 的歷史訊息：{error}",
    "{count} connections of this Slack app are open and {ours} of them ours: Slack gives each event to one of them, so "
    "the others take taps and messages away; end the other programs, or give this project an app of its own": (
        "這個 Slack 應用程式開了 {count} 個連線，其中 {ours} 個是我們的：Slack 把每個事件只給其中一個連線，"
        "所以其他連線會取走點按和訊息；請結束其他程式，或給這個專案自己的應用程式"
    ),
}
