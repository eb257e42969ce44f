"""What the operator reads about Discord, in Traditional Chinese as used in Taiwan, by the English sentence."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "the Discord token does not look like one (it has {length} characters; the developer portal gives three parts of "
    "letters and digits with dots between, under Bot > Reset Token)": (
        "這不像是 Discord 的 token（有 {length} 個字元；開發者網站 Bot > Reset Token 給的是由點分開的三段英數字）"
    ),
    "set it again with `channels setup discord`": "請用 `channels setup discord` 重新設定",
    "Discord refuses the token (wrong or reset)": "Discord 拒絕這個 token（有誤或已重設）",
    "set the current one with `channels setup discord`": "請用 `channels setup discord` 設定目前的 token",
    "Discord's rate limit: too many requests, retry after {seconds:.0f} s": (
        "Discord 的速率限制：請求太多，請在 {seconds:.0f} 秒後再試"
    ),
    "Discord's answer could not be read ({name})": "無法解讀 Discord 的回應（{name}）",
    "Discord closed the connection (code {code})": "Discord 關閉了連線（代碼 {code}）",
    "Discord has a fault (HTTP {status})": "Discord 發生故障（HTTP {status}）",
    "Discord forbids it: {reason}": "Discord 不允許：{reason}",
    "Message Content Intent is off, so Discord refuses the connection (close code 4014)": (
        "Message Content Intent 已關閉，所以 Discord 拒絕連線（關閉代碼 4014）"
    ),
    "switch it on at https://discord.com/developers/applications/{bot_id}/bot, under Privileged Gateway Intents": (
        "請到 https://discord.com/developers/applications/{bot_id}/bot 的 Privileged Gateway Intents 開啟"
    ),
    "Discord's ration of new connections is nearly used up, and beyond it the token is reset": (
        "Discord 允許的新連線次數快用完了；超過的話，token 會被重設"
    ),
    "1. Open https://discord.com/developers/applications, choose New Application and give it a name.\n"
    "2. Under Bot, switch Message Content Intent on (Privileged Gateway Intents), and save.\n"
    "3. There, choose Reset Token and copy what it shows: three parts with dots between.": (
        "1. 打開 https://discord.com/developers/applications，選擇 New Application，並取一個名稱。\n"
        "2. 在 Bot 底下開啟 Message Content Intent（Privileged Gateway Intents），然後儲存。\n"
        "3. 在同一頁選擇 Reset Token，複製它顯示的內容：由點分開的三段文字。"
    ),
    "Message Content Intent is on": "Message Content Intent 已開啟",
    "application flags {flags}": "應用程式旗標 {flags}",
    "there are connections left for today": "今天的連線次數還夠",
    "{left:,} of {total:,} are left": "還剩 {left:,} 次，共 {total:,} 次",
    "all again in {minutes}": "{minutes}後重新計算",
    "{count:,} minute": "{count:,} 分鐘",
    "{count:,} minutes": "{count:,} 分鐘",
    "end other programs that connect this bot again and again; ours waits for the next ration on its own": (
        "請結束一再連線這個機器人的其他程式；我們的程式會自行等到次數重新計算"
    ),
    "no channel of a server is enabled; direct messages only": "沒有啟用任何伺服器的頻道；只接收私訊",
    "let the bot into a server ({link}), then `channels access discord group add CHANNEL_ID`": (
        "讓機器人加入伺服器（{link}），再執行 `channels access discord group add CHANNEL_ID`"
    ),
    "the bot has its permissions in {groups} enabled channels": "機器人在 {groups} 個啟用的頻道裡都有所需權限",
    "computed from its roles and the channel's overwrites": "依它的身分組和頻道的權限覆寫計算",
    "give the bot's role these permissions, in the server's settings or in the channel's, or invite it again with "
    "{link}": "請在伺服器或頻道的設定裡，把這些權限給機器人的身分組，或用 {link} 重新邀請",
    "the bot does not see {place}: {error}": "機器人看不到 {place}：{error}",
    "the bot lacks {names} in {place}": "機器人在 {place} 缺少 {names}",
    "Discord has a fault (HTTP {status}); nothing is wrong here: wait a few minutes": (
        "Discord 發生故障（HTTP {status}）；這裡沒有問題：請等幾分鐘"
    ),
    "the bot is in {servers}": "機器人在 {servers}",
    "{count:,} server": "{count:,} 個伺服器",
    "{count:,} servers": "{count:,} 個伺服器",
    "the bot is in no server yet, so nobody can write to it, not even directly": (
        "機器人還沒有加入任何伺服器，所以沒有人能傳訊息給它，連私訊也不行"
    ),
    "let it into one of yours: {link}": "讓它加入你的一個伺服器：{link}",
    "GET /users/@me/guilds: none": "GET /users/@me/guilds：沒有",
}
