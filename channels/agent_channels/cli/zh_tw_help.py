"""What `--help` explains, in Traditional Chinese as used in Taiwan, by the English text."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "show this help message and exit": "顯示這段說明後結束",
    "show program's version number and exit": "顯示版本後結束",
    "Your agent's phone line: chats and button taps for a coding agent.": (
        "代理的電話專線：讓寫程式的代理收到聊天訊息和按鈕點按。"
    ),
    "Try it with `channels sandbox`, set up a bot with `channels setup`, and find out why it is silent with "
    "`channels doctor`.": (
        "用 `channels sandbox` 試試看，用 `channels setup` 設定機器人；沒有反應時，用 `channels doctor` 找出原因。"
    ),
    "{summary}.": "{summary}。",
    "one of {names}": "其中之一：{names}",
    "print what is pasted where the platform makes an app, and nothing else": ("只印出要貼到平台建立應用程式處的內容"),
    "print JSON instead of sentences": "以 JSON 輸出，不輸出句子",
    # The verbs.
    "run the MCP server over stdio; an agent host starts it from .mcp.json": (
        "透過 stdio 執行 MCP 伺服器；由代理的主程式依 .mcp.json 啟動"
    ),
    "set up a bot step by step, until you have tapped a button of it": "一步一步設定機器人，直到你點了它的按鈕",
    "import the token, people, groups and settings of the reference plugin": "匯入參考外掛的 token、成員、群組和設定",
    "show who reads the bot, who is paired and what is waiting": "顯示誰在讀取機器人、誰已配對、有什麼在等候",
    "show the channels of this project on a page: chats, what waits and why, and who may write": (
        "在網頁上顯示這個專案的頻道：聊天、等候的訊息和原因，以及誰可以傳訊息"
    ),
    "find out why the bot is silent: check every known cause": "找出機器人沒有反應的原因：檢查每一個已知的原因",
    "show what servers and hooks logged": "顯示伺服器和 hook 的記錄",
    "start the agent host so that it receives messages, or say why it would not": (
        "啟動代理的主程式並讓它接收訊息，或說明為什麼收不到"
    ),
    "list every message with its state and age; redeliver or drop one": (
        "列出每則訊息的狀態和時間；重新送達或放棄其中一則"
    ),
    "export the conversation, both directions": "匯出雙方的對話",
    "manage who may talk to the agent: people, groups, approvers": "管理誰可以和代理說話：成員、群組、核准者",
    "have this session's agent work in rounds until it is done": "讓這個工作階段的代理一輪一輪工作，直到完成",
    "share one bot among several projects, on this machine or on many": (
        "讓多個專案共用一個機器人，可在一台或多台電腦上"
    ),
    "adopt a state folder that came from elsewhere, after a look at what it holds": (
        "先看內容，再採用來自別處的狀態資料夾"
    ),
    "copy the project's state into one file, while servers run": "把專案的狀態複製成一個檔案，伺服器可以繼續執行",
    "bring the state of a backup back, into a project whose servers are stopped": (
        "把備份的狀態還原到伺服器已停止的專案"
    ),
    "say how this program was installed, and bring a newer version": "說明這個程式是如何安裝的，並更新到新版",
    "take our servers, hooks, skills and units out of this project and your folders": (
        "從這個專案和你的資料夾移除我們的伺服器、hook、技能和服務設定"
    ),
    "run one of the agent host's hooks (hooks/hooks.json)": "執行代理主程式的一個 hook（hooks/hooks.json）",
    "try everything on this machine, with no account and no network": "在這台電腦上試用全部功能，不需要帳號和網路",
    "print a script that completes this command in your shell": "輸出讓你的 shell 自動補全這個指令的腳本",
    # Arguments of several verbs.
    "{names}; default: all": "{names}；預設：全部",
    "{names}; default: the one that is set up here": "{names}；預設：這裡唯一設定好的頻道",
    "{names}; default: every channel": "{names}；預設：所有頻道",
    "{names}; default: every channel that was set up, or all if none was": (
        "{names}；預設：所有設定過的頻道；都沒有設定過時是全部"
    ),
    "only from then on: 30m, 12h, 7d, 2w, a date or an ISO time": "只要從那時起的：30m、12h、7d、2w、日期或 ISO 時間",
    "print the address as JSON, and nothing else": "只以 JSON 輸出網址",
    # `channels status`, `logs`, `inbox`, `history`, `open`.
    "ask the process that reads the bot to hand it over": "要求讀取機器人的行程交出機器人",
    "go on with what is logged from now on": "繼續顯示之後的記錄",
    "only from this level up": "只要這個等級以上的",
    "print each as a line of JSON, with the time in UTC": "每筆輸出一行 JSON，時間為 UTC",
    "only those that are not answered": "只要還沒有回覆的",
    "how many at most, the newest (default {limit})": "最多幾則，從最新的算起（預設 {limit}）",
    "offer this delivery_id again": "再交出這個 delivery_id 一次",
    "give this delivery_id up": "放棄這個 delivery_id",
    "print it as JSON lines, oldest first": "以 JSON 逐行輸出，最舊的在前",
    "show what was decided and changed; check or export that record": "顯示決定與變更的紀錄；檢查或匯出這份紀錄",
    "the newest records, oldest of them first (the default)": "最新的紀錄，其中最舊的在前（預設）",
    "check that no record was changed, removed, added or moved": "檢查紀錄有沒有被更改、移除、加入或移動",
    "print every record as JSON lines, oldest first": "以 JSON 逐行輸出所有紀錄，最舊的在前",
    "only this chat; negative ids as they are": "只要這個聊天；負的 id 照寫",
    "print one JSON object with all of them": "全部輸出成一個 JSON 物件",
    "its port (default {port}; 0: a free one)": "連接埠（預設 {port}；0：自動選擇）",
    "print the address only": "只輸出網址",
    # `channels access`.
    "the 8 characters the person was shown": "對方看到的 8 個字元",
    "list people, groups and who is waiting (the default)": "列出成員、群組和等候的人（預設）",
    "let the person with this code in": "讓持有這個配對碼的人加入",
    "turn the person with this code away": "拒絕持有這個配對碼的人",
    "create a link and QR code for one person; 10 minutes, one use": (
        "為一個人產生連結和 QR code；10 分鐘內有效，限用一次"
    ),
    "print the link only": "只輸出連結",
    "let a person in by id": "用 id 讓一個人加入",
    "take a person off every list": "把一個人從所有名單移除",
    "set the rule for direct messages": "設定私訊的規則",
    "choose who may answer permission prompts": "選擇誰可以回答許可請求",
    "enable or disable a group": "啟用或停用群組",
    "enable a group, or change its rule": "啟用群組，或變更它的規則",
    "disable a group": "停用群組",
    "every message counts, not only those to the bot": "接收所有訊息，不只是給機器人的",
    "messages that match count as to the bot": "符合的訊息視為給機器人的",
    "comma-separated ids of those who may speak; default: everybody": "可以說話的人的 id，以逗號分隔；預設：所有人",
    "the person's numeric id": "對方的數字 id",
    "the group's id; negative as it is": "群組的 id；負的照寫",
    "the group's id": "群組的 id",
    "give a paired person the role": "把這個角色給已配對的人",
    "take the role away": "收回這個角色",
    # `channels loop` and `hub`.
    "begin a loop in the session that runs this command": "在執行這個指令的工作階段開始循環",
    "what the agent should do, in one argument": "代理要做的事，寫成一個引數",
    "at most so many rounds: 1 to {most} (default {rounds})": "最多幾輪：1 到 {most}（預設 {rounds}）",
    "the word by which the agent promises the end ({word})": "代理用來表示完成的字（{word}）",
    "end this session's loop; outside of a session, every loop of the project": (
        "結束這個工作階段的循環；不在工作階段裡時，結束專案的所有循環"
    ),
    "list the loops that run in this project": "列出這個專案執行中的循環",
    "join as another project than the one whose state folder this one's was copied from": (
        "以另一個專案的身分加入，而不是這個狀態資料夾複製來源的那個專案"
    ),
    "let this project share the bot whose token it has": "讓這個專案共用它的 token 所屬的機器人",
    "local (default), or postgresql://user@host/database?sslmode=require, without a password": (
        "local（預設），或 postgresql://user@host/database?sslmode=require，不含密碼"
    ),
    "read the address, which may hold a password, from standard input": "從標準輸入讀取位址，可以含密碼",
    "what people call this project; default: its folder's name": "大家如何稱呼這個專案；預設：資料夾的名稱",
    "let this project read its bot for itself alone again": "讓這個專案恢復自己讀取機器人",
    "take out a project whose folder or machine is gone": "移除資料夾或電腦已經不在的專案",
    "the project, as `channels hub status` lists it": "專案，如 `channels hub status` 所列",
    "show the projects of the bot, who reads it, and what waits": "顯示機器人的專案、由誰讀取、有什麼在等候",
    "show or change which project gets what": "顯示或變更哪個專案收到什麼",
    "show every route, the most specific kinds first": "顯示所有路由，最具體的在前",
    "give a thread, a chat, a person, or everything else to a project": "把討論串、聊天、個人或其他一切交給一個專案",
    "remove a route": "移除路由",
    "the project that gets it": "收到的專案",
    "a chat: of a person, a group or a channel": "聊天：個人、群組或頻道",
    "a thread of --chat, or one that is a chat of its own": "--chat 的討論串，或本身就是聊天的討論串",
    "what this person says where nothing else fits": "這個人說的話，在沒有其他路由適用時",
    "strangers, who then pair there, and what fits several": "陌生人（會在那裡配對），以及適合多個專案的訊息",
    # `channels setup`, `launch`, `import`, `sandbox`.
    "read the token from standard input; ask nothing": "從標準輸入讀取 token；不詢問任何問題",
    "ask nothing, and take every step that needs nobody": "不詢問任何問題，執行所有不需要人的步驟",
    "copy the skills for the agent into .claude/skills of the project, or of your home folder (default: ask; "
    "without a terminal: no)": ("把代理的技能複製到專案或家目錄的 .claude/skills（預設：詢問；沒有終端機：no）"),
    "the agent host: {names}, or a path of Claude Code's program": "代理的主程式：{names}，或 Claude Code 程式的路徑",
    "write the files of this agent host: {names} (default: Claude Code)": (
        "寫入這個主程式的檔案：{names}（預設：Claude Code）"
    ),
    "check the files of this agent host: {names} (default: Claude Code)": (
        "檢查這個主程式的檔案：{names}（預設：Claude Code）"
    ),
    "the host whose JSON is read and written (default: claude)": "讀寫哪個主程式的 JSON（預設：claude）",
    "show the command, and start nothing": "顯示指令，不啟動任何程式",
    "as --print, as JSON": "同 --print，以 JSON 輸出",
    "its folder, such as ~/.claude/channels/telegram": "它的資料夾，例如 ~/.claude/channels/telegram",
    "replace a token that is set already (default: ask)": "取代已經設定的 token（預設：詢問）",
    "share the bot of another project of yours, by its name or folder, instead of giving a token": (
        "共用你另一個專案的機器人（寫專案的名稱或資料夾），不必再給 token"
    ),
    "let the people of the project whose bot is shared in here too": "讓共用機器人的那個專案的人也能使用這裡",
    "let those who approve there approve here too; with --same-people": (
        "讓那裡的核准者也能在這裡核准；和 --same-people 一起使用"
    ),
    "enter the server into the project's .mcp.json": "把伺服器寫入專案的 .mcp.json",
    "enter the hooks into the project's .claude/settings.local.json": "把 hook 寫入專案的 .claude/settings.local.json",
    "end with an invitation": "最後給一個邀請",
    "{step} (default: ask; without a terminal: no)": "{step}（預設：詢問；沒有終端機：no）",
    "{names}; default: ask": "{names}；預設：詢問",
    "enable the groups of the project whose bot is shared here too": "也在這裡啟用那個專案的群組",
    "play this one alone, {names}, or several (default: all)": "只播放這個（{names}），可以有好幾個（預設：全部）",
    "Examples: `channels sandbox` opens every chat in a browser; `channels sandbox --projects 3` plays three "
    "projects on one bot, one of which can die and return; `channels sandbox --transcript` stays in the terminal.": (
        "範例：`channels sandbox` 在瀏覽器打開所有聊天；`channels sandbox --projects 3` 在一個機器人上播放三個專案，"
        "其中一個可以中斷再回來；`channels sandbox --transcript` 留在終端機。"
    ),
    "play so many projects on one bot, from 2 to 5, with a server and an agent each, and topics": (
        "在一個機器人上播放幾個專案（2 到 5），各有伺服器和代理，並使用主題"
    ),
    "write a unit of systemd, or launchd, that runs the keeper for you": (
        "寫一個 systemd 或 launchd 的單元，替你執行看守程式"
    ),
    "run the commands that put it to work too": "也執行讓它開始工作的指令",
    "stop that unit and remove it": "停止並移除那個單元",
    "read the shared bots of all your projects here while no session does, until interrupted": (
        "沒有工作階段時讀取你這台電腦上所有專案共用的機器人，直到中斷"
    ),
    "print what is kept as a line of JSON, and another whenever that changes": (
        "以一行 JSON 輸出看守的內容，每次變更再輸出一行"
    ),
    "show what the keeper did": "顯示看守程式做了什麼",
    "without what the host asks about at its start, as nobody is there": (
        "不使用主程式啟動時要詢問的項目，因為沒有人在場"
    ),
    "who answers; none: attach your own host": "由誰回覆；none：接上你自己的主程式",
    "port of the chat page (default {port}; 0: a free one)": "聊天頁面的連接埠（預設 {port}；0：自動選擇）",
    "version of the Bot API that its Telegram server speaks, such as 10.0 (default: the newest it knows)": (
        "它的 Telegram 伺服器使用的 Bot API 版本，例如 10.0（預設：它認得的最新版）"
    ),
    "do not open the chat page in a browser": "不在瀏覽器打開聊天頁面",
    "play a journey in the terminal, without a page": "在終端機播放一段過程，不開頁面",
    "as --transcript; the Telegram server stays up afterwards": "同 --transcript；之後 Telegram 伺服器繼續執行",
    "print the addresses as JSON, and nothing else; not with a transcript": (
        "只以 JSON 輸出網址；不能和逐字紀錄一起使用"
    ),
    # `channels backup`, `restore`, `trust`, `update`, `uninstall`.
    "the file to write, such as backup.zip; it must not exist": "要寫入的檔案，例如 backup.zip；不能已經存在",
    "also what people sent as files": "包括大家傳送的檔案",
    "also the bots' tokens (.env)": "包括機器人的 token（.env）",
    "what `channels backup` wrote": "`channels backup` 寫入的檔案",
    "restore without asking; needed where nobody can be asked": "不詢問就還原；沒有人可以詢問時必須加上",
    "a state folder, or a project with state folders; default: this project": (
        "狀態資料夾，或有狀態資料夾的專案；預設：這個專案"
    ),
    "adopt without asking; needed where nobody can be asked": "不詢問就採用；沒有人可以詢問時必須加上",
    "only show what the folder holds": "只顯示資料夾的內容",
    "undo an adoption: the folder is not used any more": "取消採用：不再使用這個資料夾",
    "run the command without asking": "不詢問就執行指令",
    "only show what would be taken out": "只顯示會移除什麼",
    "what becomes of this project's state folders, with token, people and messages (default: ask; without a "
    "terminal: keep)": ("這個專案的狀態資料夾（包括 token、成員和訊息）要如何處理（預設：詢問；沒有終端機：keep）"),
    "do it without asking; needed where nobody can be asked": "不詢問就執行；沒有人可以詢問時必須加上",
    # Summaries of videos.
    "make PDFs of a YouTube video's summary, step by step, for the agent that writes it": (
        "把 YouTube 影片的摘要一步一步做成 PDF，供撰寫摘要的代理使用"
    ),
    "look up title, channel, length and chapters": "查詢標題、頻道、長度和章節",
    "get what is said, with times: captions, else the sound written down": (
        "取得帶時間的內容：字幕，沒有字幕時把語音轉成文字"
    ),
    "find what is wrong with a summary: length, time links, tags, language": (
        "找出摘要的問題：長度、時間連結、標籤、語言"
    ),
    "make a PDF of a summary": "把一份摘要做成 PDF",
    "first get the transcript; with both summaries, check them and make the PDFs": (
        "先取得逐字稿；提供兩份摘要時，檢查並做成 PDF"
    ),
    "delete everything of a video, uploads too": "刪除一部影片的所有檔案，包括已上傳的",
    "the summary in English, in Markdown": "英文摘要，Markdown 格式",
    "the summary in Traditional Chinese, in Markdown": "繁體中文摘要，Markdown 格式",
    "make the PDFs whatever the check finds": "不論檢查結果如何都製作 PDF",
    "a link to it, or its id": "影片的連結或 ID",
    "it prints JSON anyway": "本來就會輸出 JSON",
    "of the captions, such as en; default: what is spoken": "字幕的語言，例如 en；預設：影片所說的語言",
    "the summary in Markdown": "Markdown 格式的摘要",
    "the language of the summary": "摘要的語言",
    "whose folder keeps the files: {names}; default: the one that is set up here": (
        "檔案放在哪個頻道的資料夾：{names}；預設：這裡唯一設定好的頻道"
    ),
}
