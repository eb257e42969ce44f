"""What the operator reads at the terminal, in Traditional Chinese as used in Taiwan, by the English sentence."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    # Between sentences and names.
    "; ": "；",
    ", ": "、",
    # The audit.
    "nothing is recorded yet": "還沒有任何紀錄",
    "record {id}: {why}": "紀錄 {id}：{why}",
    "this row was put in by something else": "這一列是別的程式放進來的",
    "rows before this one were removed, added or moved": "這一列之前有紀錄被移除、加入或移動",
    "this row was changed": "這一列被更改過",
    "rows after this one were removed": "這一列之後有紀錄被移除",
    "the hash of the newest row was removed": "最新一列的雜湊值被移除",
    "no channel is set up in this project, and its folder keeps the files; run `channels setup CHANNEL` first "
    "({names})": (
        "這個專案還沒有設定任何頻道，而檔案要存放在頻道的資料夾裡；請先執行 `channels setup CHANNEL`（{names}）"
    ),
    "{count} records are intact, from {since} on; the newest has the hash {head}. Keep that hash somewhere "
    "else: anyone who can write to the database can forge a new chain, but not one that ends in this "
    "hash. Older records are deleted after keep_days and above keep_rows; that somebody deleted them "
    "before is not seen here: keep an export if you need them": (
        "從 {since} 起的 {count} 筆紀錄都完整；最新一筆的雜湊值是 {head}。請把這個雜湊值存到別處："
        "能寫入資料庫的人可以偽造一條新的鏈，但無法讓它以這個雜湊值結尾。"
        "更早的紀錄會在 keep_days 之後、或超過 keep_rows 時刪除；是否有人提前刪除，這裡看不出來：需要的話請保留一份匯出"
    ),
    "record {id}: another program wrote a value that is of the wrong kind ({names})": (
        "紀錄 {id}：另一個程式寫入了種類不對的值（{names}）"
    ),
    # The policy.
    "{rule} allows too much: name a tool and what it may do": "{rule} 允許太多：請寫出工具，以及它可以做什麼",
    "line {line}: {problem}": "第 {line} 行：{problem}",
    "{rule} never matches: {why}": "{rule} 永遠不會符合：{why}",
    "hosts call this tool {tool}": "主程式把這個工具叫作 {tool}",
    "a server's tool is called {tool}__TOOL, and all of them {tool}__*": (
        "伺服器的工具叫作 {tool}__工具名稱，全部則寫成 {tool}__*"
    ),
    "{tool} works on an address, which begins with https://": "{tool} 處理的是網址，開頭是 https://",
    "{path} cannot be read: line {line}: << puts in what stands elsewhere; write it out": (
        "無法讀取 {path}：第 {line} 行的 << 會帶入別處的內容；請直接寫出來"
    ),
    "{path} cannot be read: line {line}: chat is {value}, which YAML reads as another number; write the id as the "
    "platform has it": "無法讀取 {path}：第 {line} 行的 chat 是 {value}，YAML 會讀成另一個數字；請照平台上的 ID 書寫",
    "{rule} never matches, because {earlier} comes before it": "{rule} 永遠不會符合，因為 {earlier} 在它前面",
    "{path} cannot be read: line {line}: {key} is there a second time; keep one of them": (
        "無法讀取 {path}：第 {line} 行的 {key} 出現第二次；請只留一個"
    ),
    "{rule} cannot be allowed: it takes {needed} approvers, and there are {count}": (
        "{rule} 無法被允許：需要 {needed} 位核准者，而現在有 {count} 位"
    ),
    "all settings are valid, but some rules of the policy do not do what they seem to": (
        "設定都有效，但政策裡有些規則的作用和看起來不同"
    ),
    "change them in {path}": "請在 {path} 裡修改",
    # Set-up.
    "Which channel?": "要設定哪個頻道？",
    "[{choices}; Return: {default}] ": "[{choices}；按 Enter：{default}] ",
    "it is not a file": "它不是檔案",
    "  answer y or n": "  請回答 y 或 n",
    "  {answer!r} is none of them: answer {choices}": "  沒有 {answer!r} 這個選項：請回答 {choices}",
    "the terminal ended before the answer; run the same command again, it goes on from here": (
        "還沒有回答，終端機就結束了；請再執行同一個指令，會從這裡繼續"
    ),
    "there is no terminal to ask which channel; name it: {commands}": (
        "沒有終端機可以詢問要設定哪個頻道；請寫出來：{commands}"
    ),
    "✓ {found}.": "✓ {found}。",
    "✓ {done}.": "✓ {done}。",
    "{sign} {named}.\n  -> {next}": "{sign} {named}。\n  -> {next}",
    "Note: {problem}": "請注意：{problem}",
    "Note: {found}; {evidence}.": "請注意：{found}；{evidence}。",
    "{found} ({evidence}); nothing was sent: {next}": "{found}（{evidence}）；沒有送出任何資料：{next}",
    "{found} ({evidence}); {next}": "{found}（{evidence}）；{next}",
    "Going on where the last run stopped, with the token from {source}.": "從上次停下的地方繼續，token 取自 {source}。",
    "Keep the token from {source}?": "要沿用 {source} 裡的 token 嗎？",
    "{title} bot token (not shown): ": "{title} 機器人的 token（不會顯示）：",
    "{title} (not shown): ": "{title}（不會顯示）：",
    "✗ {error}. Try again, or stop with Ctrl-C.": "✗ {error}。請再試一次，或按 Ctrl-C 停止。",
    "no token was given; nothing was changed": "沒有輸入 token；沒有任何變更",
    "there is no terminal to ask for the token; pipe it in with --token-stdin": (
        "沒有終端機可以詢問 token；請用 --token-stdin 從標準輸入傳入"
    ),
    "the token was not stored": "token 沒有儲存",
    "the token stays as it was": "原來的 token 不變",
    "✓ The token works: {title} bot @{username} ({name}).": "✓ token 可以使用：{title} 機器人 @{username}（{name}）。",
    "✓ It is stored in {path}, readable by you only.": "✓ 已存入 {path}，只有你可以讀取。",
    "✓ It stays where it is: {source}.": "✓ 留在原處：{source}。",
    "The shell variable {name} holds another token and wins over this file; unset it.": (
        "shell 變數 {name} 裡是另一個 token，而且優先於這個檔案；請取消設定它。"
    ),
    "✓ Every setting is explained in {path}.": "✓ 每項設定的說明都在 {path}。",
    "To let the bot into a server of yours, with the permissions it needs:\n  {link}": (
        "要讓機器人加入你的伺服器並取得所需權限，請開啟：\n  {link}"
    ),
    "✓ The plugin {plugin} brings the server, the hooks and the skills.": (
        "✓ 外掛 {plugin} 已經包含伺服器、hook 和技能。"
    ),
    "{kind} keeps this program for the moment only, so no agent host can be told to start it; install it with "
    "`uv tool install {requirement}` (or pipx install), then run `{again}`": (
        "{kind} 只會暫時保留這個程式，所以無法讓代理的主程式啟動它；請用 `uv tool install {requirement}`（或 pipx "
        "install）安裝，再執行 `{again}`"
    ),
    "Enter the server into {path}, so that an agent host starts it?": "要把伺服器寫入 {path}，讓代理的主程式啟動它嗎？",
    "Enter the hooks into {path}, so that messages and prompts reach you whatever the host's flags?": (
        "要把 hook 寫入 {path} 嗎？這樣不論主程式用什麼參數啟動，訊息和提示都能送達。"
    ),
    "Copy the skills for the agent ({folders})?": "要為代理複製技能嗎（{folders}）？",
    "{done}; the file is yours alone: keep it out of git": "{done}；這個檔案只屬於你，請不要放進 git",
    "· The hooks that show turns in the chat are left out: they need the server in .mcp.json, and Claude Code 2.1.118 "
    "or later.": (
        "· 沒有安裝在聊天中顯示工作進度的 hook：它們需要 .mcp.json 裡有這個伺服器，以及 Claude Code 2.1.118 以上。"
    ),
    "Next: {start}.": "下一步：{start}。",
    "Nobody is paired yet, since that needs a person: run `{again}` in a terminal, and it goes on there."
    "\nOr: {start}, then `channels access {name} invite` (or write to @{username} and let yourself in with the code it "
    "answers: `channels access {name} pair CODE`).": (
        "還沒有人配對，因為這需要有人操作：請在終端機執行 `{again}`，會從那裡繼續。\n"
        "或者：{start}，再執行 `channels access {name} invite`（也可以傳訊息給 @{username}，再用它回覆的配對碼讓"
        "自己加入："
        "`channels access {name} pair CODE`）。"
    ),
    "\nStopped. What was done stays: `{again}` goes on from here.": (
        "\n已停止。完成的步驟都會保留：`{again}` 會從這裡繼續。"
    ),
    # The first tap.
    "{error}; `{again}` goes on from here": "{error}；`{again}` 會從這裡繼續",
    "✓ Paired: {names}.": "✓ 已配對：{names}。",
    "✓ {person} is paired.": "✓ {person} 已配對。",
    "Invite somebody else now?": "現在要邀請其他人嗎？",
    "Next: {start}; `channels launch {name}` starts Claude Code so that it receives messages. `channels status {name}` "
    "shows how things stand.": (
        "下一步：{start}；`channels launch {name}` 會啟動 Claude Code 並讓它接收訊息。"
        "`channels status {name}` 會顯示目前狀態。"
    ),
    "✓ A server of this project reads the bot already (process {pid}).": (
        "✓ 這個專案的伺服器已經在讀取這個機器人（行程 {pid}）。"
    ),
    "· The bot is read elsewhere: {holder}. A bot has one reader, so end that session, or give this project a"
    " bot of its "
    "own. Waiting until it is free ... (Ctrl-C stops)": (
        "· 機器人正由別處讀取：{holder}。一個機器人只能有一個讀取者，請結束那個工作階段，或讓這個專案使用自己的機器人。"
        "正在等它空出來 ...（按 Ctrl-C 停止）"
    ),
    "direct messages are disabled, so nobody can get in; allow them with `channels access {name} policy pairing`, then "
    "run this again": ("私訊已停用，沒有人能加入；請用 `channels access {name} policy pairing` 開放，再執行一次"),
    "Waiting for your tap in {title} ... (Ctrl-C stops; run it again to go on)": (
        "等你在 {title} 點按 ...（按 Ctrl-C 停止；再執行一次就會繼續）"
    ),
    "Waiting for your message in {title} ... (Ctrl-C stops; run it again to go on)": (
        "等你在 {title} 傳訊息 ...（按 Ctrl-C 停止；再執行一次就會繼續）"
    ),
    "That invitation has run out; here is a new one.": "那個邀請已經過期；這是新的邀請。",
    "· {person} stays out. Still waiting ... (Ctrl-C stops; run it again to go on)": (
        "· {person} 不會加入。仍在等待……（Ctrl-C 停止；再執行一次就會繼續）"
    ),
    "{person} has written to the bot, without the invitation. Is that you, or may they come in?": (
        "{person} 沒有用邀請就傳了訊息給機器人。是你本人，或可以讓對方加入嗎？"
    ),
    "· The bot was called in {place}. You get in by a direct message: open the bot's profile there and write to it. "
    "`channels access {name} group add {group_id}` enables that place later.": (
        "· 有人在 {place} 呼叫了機器人。要加入請用私訊：在那裡打開機器人的個人檔案，傳訊息給它。"
        "之後可以用 `channels access {name} group add {group_id}` 啟用那個地方。"
    ),
    "May {person} answer from {title} what the agent asks permission for?": (
        "代理請求許可時，{person} 可以在 {title} 回答嗎？"
    ),
    "✓ {person} may. `{undo}` undoes that.": "✓ {person} 可以回答。`{undo}` 會取消。",
    "✓ {person} has a message with two buttons. Waiting for the tap ... (Ctrl-C stops)": (
        "✓ {person} 收到了一則有兩個按鈕的訊息。等待點按 ...（按 Ctrl-C 停止）"
    ),
    "the message was closed without a tap; `{again}` sends another one": (
        "訊息沒有人點按就關閉了；`{again}` 會再傳一則"
    ),
    "✓ {user} tapped {button!r}: the set-up is done.": "✓ {user} 點了 {button!r}：設定完成。",
    "`channels doctor {name}` looks for what is wrong.": "`channels doctor {name}` 會找出哪裡有問題。",
    # Invitations.
    "valid for {minutes:.0f} minutes, for one person": "{minutes:.0f} 分鐘內有效，限一人使用",
    "Invitation to @{username}, {validity}. Open it on the phone and tap Start:\n  {link}": (
        "@{username} 的邀請，{validity}。請在手機上打開，點「開始」：\n  {link}"
    ),
    "Invitation to @{username}, {validity}. Send it to the bot as a direct message:\n  {code}": (
        "@{username} 的邀請，{validity}。請用私訊傳給機器人：\n  {code}"
    ),
    "If you do not share a server with the bot yet, add it to one first:\n  {link}": (
        "如果你和機器人還沒有共同的伺服器，請先把它加入一個：\n  {link}"
    ),
    "No server reads this bot yet: {start}; it answers then.": "還沒有伺服器讀取這個機器人：{start}，它就會回覆。",
    "enter the server into your agent host's list (`channels setup {channel} --mcp-json yes` does it in .mcp.json), "
    "{start}": (
        "把伺服器加入代理主程式的清單（`channels setup {channel} --mcp-json yes` 會寫入 .mcp.json），再{start}"
    ),
    "start your agent host in the project": "在專案裡啟動代理的主程式",
    "no token is set, so there is no bot to invite to; run `channels setup {channel_name}` first": (
        "沒有設定 token，所以沒有機器人可以邀請人加入；請先執行 `channels setup {channel_name}`"
    ),
    # The host's files.
    "the server {name!r}": "伺服器 {name!r}",
    "the servers": "伺服器",
    "the plugin": "外掛",
    "{path} is another program's file; move it away first": "{path} 是其他程式的檔案；請先把它移走",
    "the hooks": " hook",
    "them": "它們",
    "{path} has {what} now": "{path} 已加入{what}",
    "{path} has {what} already": "{path} 裡已經有{what}",
    "{path} has none of them any more": "{path} 裡已經沒有",
    "the old file is kept as {backup}": "原來的檔案保留在 {backup}",
    "{folder} has the skills now": "技能已複製到 {folder}",
    "{folder} has the skills already": "{folder} 裡已經有技能",
    "left as you changed it: {names}": "保留你改過的版本：{names}",
    "left as you changed them: {names}": "保留你改過的版本：{names}",
    "{error}; fix it first": "{error}；請先修正",
    "mcpServers in {path} is not an object; fix it first": "{path} 裡的 mcpServers 不是物件；請先修正",
    "hooks in {path} is not an object; fix it first": "{path} 裡的 hooks 不是物件；請先修正",
    "hooks.{event} in {path} is not a list; fix it first": "{path} 裡的 hooks.{event} 不是陣列；請先修正",
    "hooks.json is missing beside {package}; reinstall this program": (
        "{package} 旁邊缺少 hooks.json；請重新安裝這個程式"
    ),
    "the skills are missing beside {package}; reinstall this program": "{package} 旁邊缺少技能；請重新安裝這個程式",
    "{path} leads out of the project, to {target}; it is unchanged: replace the link": (
        "{path} 指向專案之外的 {target}；沒有變更，請換掉這個連結"
    ),
    "{path} leads out of the project, to {target}; replace the link": "{path} 指向專案之外的 {target}；請換掉這個連結",
    "{path} cannot be written ({error}); it is unchanged": "無法寫入 {path}（{error}）；檔案沒有變更",
    "{path} cannot be written ({error}); fix its folder": "無法寫入 {path}（{error}）；請修正它的資料夾",
    "{path} cannot be read ({error}); fix it first": "無法讀取 {path}（{error}）；請先修正",
    # Settings, the token and the state folder.
    "the environment variable {name}": "環境變數 {name}",
    "{path} (or the environment): {problems}": "{path}（或環境變數）：{problems}",
    "{path} sets both {new} and {old}, its old name; remove {old}": (
        "{path} 同時設定了 {new} 和它的舊名稱 {old}；請移除 {old}"
    ),
    "{path} cannot be read: {error}": "無法讀取 {path}：{error}",
    "{path} cannot be read: a value stands for another one (*name); write it out": (
        "無法讀取 {path}：有一個值用別名（*名稱）代替；請直接寫出內容"
    ),
    "{path} cannot be read: more than {most} brackets are open at once; close them": (
        "無法讀取 {path}：同時有超過 {most} 個括號沒有關閉；請關閉它們"
    ),
    "{path} must hold `name: value` lines, such as `language: en`; it holds {value}": (
        "{path} 的每一行要寫成 `名稱: 值`，例如 `language: en`；現在的內容是 {value}"
    ),
    "SSLKEYLOGFILE is {path!r}, which cannot be written ({reason}): name another file, or unset SSLKEYLOGFILE": (
        "SSLKEYLOGFILE 是 {path!r}，但無法寫入（{reason}）：請改用另一個檔案，或取消設定 SSLKEYLOGFILE"
    ),
    "{name} is {value!r}, which holds no certificates that can be used ({reason}): name {wanted}, or unset {name}": (
        "{name} 是 {value!r}，裡面沒有可用的憑證（{reason}）：請改成 {wanted}，或取消設定 {name}"
    ),
    "{path} is not a folder; remove it, or name another state folder": (
        "{path} 不是資料夾；請移除它，或指定另一個狀態資料夾"
    ),
    "the state folder {path} belongs to another user, so nothing in it was read; name a folder of your own "
    "({variable}=FOLDER)": (
        "狀態資料夾 {path} 屬於另一個使用者，所以沒有讀取裡面的任何內容；請指定你自己的資料夾（{variable}=FOLDER）"
    ),
    "the state folder {path} cannot be forgotten ({error}); fix the permissions of {file}": (
        "無法取消登記狀態資料夾 {path}（{error}）；請修正 {file} 的權限"
    ),
    "the state folder {path} leads through a symbolic link, so nothing in it was read; name the folder itself": (
        "狀態資料夾 {path} 經過符號連結，所以沒有讀取裡面的任何內容；請指定資料夾本身"
    ),
    "the state folder {path} leads through a symbolic link; nothing in it was read": (
        "狀態資料夾 {path} 經過符號連結；沒有讀取裡面的任何內容"
    ),
    "the state folder {path} was not made by you on this machine, so nothing in it was read: it came with a "
    "repository, was copied or restored, or is of version 0.1.0. If it is yours, run `channels trust` in the project": (
        "狀態資料夾 {path} 不是你在這台電腦上建立的，所以沒有讀取裡面的任何內容：它可能隨儲存庫而來、是複製或還原的，"
        "或來自 0.1.0 版。如果是你的，請在專案裡執行 `channels trust`"
    ),
    "a symbolic link": "符號連結",
    "not a file": "檔案以外的東西",
    "it is a symbolic link": "它是符號連結",
    "{path} is {kind}; nothing in a state folder is followed out of it: remove it": (
        "{path} 是{kind}；程式不會離開狀態資料夾去讀取：請移除它"
    ),
    "{path} is open to other users (mode {mode:03o}), as a file is that came with a repository, so it was not read; "
    "look at it, and if it is yours, run `chmod 600 {file}`": (
        "其他使用者可以打開 {path}（模式 {mode:03o}），就像隨儲存庫而來的檔案一樣，所以沒有讀取；請看一下內容，"
        "如果是你的，請執行 `chmod 600 {file}`"
    ),
    "{path} has more than {max_bytes:,} bytes, which no person writes; fix it first": (
        "{path} 超過 {max_bytes:,} 位元組，不像是人寫的；請先修正"
    ),
    "{path} cannot be read ({reason}); replace it by a file of your own": (
        "無法讀取 {path}（{reason}）；請換成你自己的檔案"
    ),
    "{path} cannot be read: it is not a file; remove it": "無法讀取 {path}：它不是檔案；請移除它",
    "{path} cannot be deleted whole ({error}); delete it yourself": "無法完整刪除 {path}（{error}）；請自行刪除",
    "{path} was written by a newer version (schema {found}, this program knows {known}); update this program, or name "
    "another state folder": (
        "{path} 是由較新的版本寫入的（結構版本 {found}，這個程式認得到 {known}）；請更新這個程式，或指定另一個狀"
        "態資料夾"
    ),
    # Connections.
    "the connection to {platform} ended before the answer: {text}": "與 {platform} 的連線在收到回應前中斷：{text}",
    # The doctor's report.
    "✓ fine   · good to know   - not checked   ✗ to be fixed": "✓ 正常   · 供參考   - 未檢查   ✗ 需要修正",
    "nothing stands in the way": "沒有任何阻礙",
    "nothing is wrong, but messages are not delivered now": "沒有問題，但訊息現在不會送達",
    "{problems} ({names})": "{problems}（{names}）",
    "{verdict}; log: {path}": "{verdict}；記錄檔：{path}",
    "{count:,} problem": "{count:,} 個問題",
    "{count:,} problems": "{count:,} 個問題",
    "checking": "檢查中",
    "follow that message": "請照上面的訊息處理",
    "follow that message, which says how to set the current token": "請照上面的訊息設定目前的 token",
    "see `trust`": "請見 `trust`",
    "see `state folder`": "請見 `state folder`",
    "the check {name!r} failed: {error}": "檢查 {name!r} 執行失敗：{error}",
    "there was no answer in {seconds:.0f} s": "{seconds:.0f} 秒內沒有回應",
    "given up after {seconds:.1f} s": "{seconds:.1f} 秒後放棄",
    "see the checks `dns`, `ipv6` and `proxy`; a firewall that drops packets looks like this too": (
        "請看檢查 `dns`、`ipv6` 和 `proxy`；會丟棄封包的防火牆也會造成這個現象"
    ),
    # The doctor: this machine.
    "Python {version}": "Python {version}",
    "Python {version} is too old": "Python {version} 太舊",
    "install this program with Python 3.11 or newer": "請用 Python 3.11 以上的版本安裝這個程式",
    "the state folder is your own": "狀態資料夾是你自己的",
    "there is no state yet, so none that came from elsewhere": "還沒有狀態，所以沒有來自別處的內容",
    "the state folder cannot be used, so nothing in it was read": "無法使用狀態資料夾，所以沒有讀取裡面的任何內容",
    "the state folder was not made by you on this machine, so nothing in it was read": (
        "狀態資料夾不是你在這台電腦上建立的，所以沒有讀取裡面的任何內容"
    ),
    "{folder}; it came with a repository, was copied or restored, or is of version 0.1.0": (
        "{folder}；它可能隨儲存庫而來、是複製或還原的，或來自 0.1.0 版"
    ),
    "if it is yours, run `channels trust`, which lists what it found; otherwise remove it": (
        "如果是你的，請執行 `channels trust`，它會列出裡面有什麼；否則請移除"
    ),
    "the state folder {folder} does not exist yet": "狀態資料夾 {folder} 還不存在",
    "`channels setup {channel}` creates it": "`channels setup {channel}` 會建立它",
    "the state folder is not used yet; see `trust`": "狀態資料夾還沒有使用；請見 `trust`",
    "other users of this machine can read {readable}": "這台電腦的其他使用者可以讀取 {readable}",
    "in {folder}": "在 {folder}",
    "look at them first, since a pull from a repository may have brought them: chmod 700 {folder}; chmod 600 "
    "{folder}/.env {folder}/channel.db*": (
        "請先看看內容，因為可能是從儲存庫拉下來的：chmod 700 {folder}; chmod 600 {folder}/.env {folder}/channel.db*"
    ),
    "{folder} is not writable, so no message can be stored and none is accepted": (
        "無法寫入 {folder}，所以不能儲存訊息，也不接收訊息"
    ),
    "files may not grow as large as the database does": "系統不允許檔案成長到資料庫需要的大小",
    "raise that limit": "請調高這個限制",
    "the disk of {folder} is nearly full": "{folder} 所在的磁碟快滿了",
    "{free:,} bytes are free": "剩餘 {free:,} 位元組",
    "free some space on it": "請清出一些空間",
    "{folder} is private and writable": "{folder} 只有你能存取，而且可以寫入",
    "{free:,} MB are free": "剩餘 {free:,} MB",
    # The doctor: settings and the token.
    "all settings are valid": "所有設定都正確",
    "no config.yaml: all settings are defaults": "沒有 config.yaml：全部使用預設值",
    "a setting is wrong, so nothing is read or sent": "有一項設定錯誤，所以不會讀取或傳送任何訊息",
    "fix it in {path}": "請在 {path} 修正",
    "all settings are valid, but some have old names": "所有設定都正確，但有些用了舊名稱",
    "rename them in {path}": "請在 {path} 改用新名稱",
    "a token is set": "已設定 token",
    "from {source}": "取自 {source}",
    "the token is malformed": "token 的格式不對",
    "set the right one: `{command}`": "請設定正確的 token：`{command}`",
    "no token is set": "沒有設定 token",
    "{variable} is the literal text {text!r}": "{variable} 的內容就是文字 {text!r}",
    "{variable} is set neither in the environment nor in {path}": "環境變數和 {path} 都沒有設定 {variable}",
    "run `{command}` in your own terminal": "請在你自己的終端機執行 `{command}`",
    "{variable} in this shell overrides another token in {path}": (
        "這個 shell 的 {variable} 蓋過了 {path} 裡的另一個 token"
    ),
    "the two tokens differ": "兩個 token 不同",
    "unset {variable} where it is set (the shell's profile, the host's settings), or store that token: `{command}`": (
        "請在設定 {variable} 的地方（shell 的設定檔、主程式的設定）取消它，或儲存那個 token：`{command}`"
    ),
    # The doctor: the route.
    "requests go to the platform's own servers": "請求會送到平台自己的伺服器",
    "requests go to {urls} instead of the platform's own servers": "請求會送到 {urls}，而不是平台自己的伺服器",
    "{name} is {url}, set by {source}": "{name} 是 {url}，由 {source} 設定",
    "the address needs no name server": "這個位址不需要名稱伺服器",
    "{host} resolves": "{host} 可以解析",
    "the name {host} does not resolve": "無法解析名稱 {host}",
    "see whether this machine is online and its name server answers; in a container or behind a company's network, "
    "name its proxy (setting `proxy`)": (
        "請確認這台電腦已連上網路，而且名稱伺服器有回應；在容器或公司網路裡，請指定代理伺服器（設定 `proxy`）"
    ),
    "a proxy makes the connections": "由代理伺服器建立連線",
    "only IPv4 is used": "只使用 IPv4",
    "the name does not resolve": "無法解析名稱",
    "there is nothing to choose": "沒有選擇的餘地",
    "IPv6 addresses: {six}; IPv4 addresses: {four}": "IPv6 位址：{six} 個；IPv4 位址：{four} 個",
    "IPv6 {six}: {problem6}; IPv4 {four}: {problem4}": "IPv6 {six}：{problem6}；IPv4 {four}：{problem4}",
    "connects": "可以連線",
    "no answer in {seconds:.0f} s": "{seconds:.0f} 秒內沒有回應",
    "IPv6 is no worse than IPv4": "IPv6 不比 IPv4 差",
    "IPv6 leads nowhere here, though {host} has IPv6 addresses: a new connection takes a quarter of a second longer, "
    "until IPv4 is tried": (
        "{host} 有 IPv6 位址，但這裡的 IPv6 連不出去：每次建立連線都要多等四分之一秒，才會改試 IPv4"
    ),
    "fix the network's IPv6, or set `ipv4: true` in config.yaml": (
        "請修好網路的 IPv6，或在 config.yaml 設定 `ipv4: true`"
    ),
    "no proxy is used": "沒有使用代理伺服器",
    "a proxy of the environment is not used": "沒有使用環境變數指定的代理伺服器",
    "correct or unset {source}": "請修正或取消設定 {source}",
    "the proxy takes connections": "代理伺服器接受連線",
    "{proxy}, named by {source}": "{proxy}，由 {source} 指定",
    "the proxy {proxy}, named by {source}, is not found": "找不到代理伺服器 {proxy}（由 {source} 指定）",
    "the proxy {proxy}, named by {source}, takes no connection": "代理伺服器 {proxy}（由 {source} 指定）不接受連線",
    "start it, or correct or remove it in {source}": "請啟動它，或在 {source} 修正或移除",
    # The doctor: the platform.
    "the token belongs to @{username} ({name})": "token 屬於 @{username}（{name}）",
    "id {id}": "id {id}",
    "the platform does not know the token": "平台不認得這個 token",
    "the platform limits this bot's requests": "平台限制了這個機器人的請求",
    "wait that long, and find the program that sends so many requests": "請等候那段時間，並找出哪個程式送出這麼多請求",
    "the platform's answer did not arrive or cannot be read": "平台的回應沒有送達，或無法解讀",
    "the platform cannot be asked": "無法詢問平台",
    "the platform could not be asked: see `{cause}`": "無法詢問平台：請見 `{cause}`",
    "the platform's library cannot be loaded": "無法載入平台的函式庫",
    "the platform's library was not loaded in time": "平台的函式庫沒有及時載入",
    "install this program again": "請重新安裝這個程式",
    "the platform's answers carry no date": "平台的回應沒有日期",
    "the platform's Date is {date}": "平台的 Date 是 {date}",
    "this machine's clock agrees with the platform's": "這台電腦的時鐘與平台一致",
    "this machine's clock is {seconds:.0f} s ahead of the platform's": "這台電腦的時鐘比平台快 {seconds:.0f} 秒",
    "this machine's clock is {seconds:.0f} s behind the platform's": "這台電腦的時鐘比平台慢 {seconds:.0f} 秒",
    "set the clock (turn network time on); until then codes expire too early or late and connections may fail": (
        "請校正時鐘（開啟網路校時）；在那之前，配對碼會太早或太晚過期，連線也可能失敗"
    ),
    # The doctor: the store.
    "there is no database yet": "還沒有資料庫",
    "the server creates it at its first start": "伺服器第一次啟動時會建立",
    "the database can be used": "資料庫可以使用",
    "the database cannot be used, so nothing is read": "無法使用資料庫，所以不會讀取任何訊息",
    "nobody is paired yet": "還沒有人配對",
    "{count:,} group": "{count:,} 個群組",
    "{count:,} groups": "{count:,} 個群組",
    "{paired} paired, {groups} enabled, {seen} seen but not enabled": (
        "已配對 {paired} 人，已啟用 {groups}，看過但未啟用 {seen}"
    ),
    "{evidence}; {pending} waiting for approval": "{evidence}；{pending} 人等待核准",
    "`{command} pair CODE`, with the code that the bot showed them, lets somebody in who waits": (
        "`{command} pair CODE` 加上機器人給對方的配對碼，就能讓等候的人加入"
    ),
    "the policy is `disabled` and no group is enabled, so nobody can write to the agent": (
        "政策是 `disabled`，也沒有啟用群組，所以沒有人能傳訊息給代理"
    ),
    "nobody is paired and no group is enabled, so nobody can write to the agent": (
        "沒有人配對，也沒有啟用群組，所以沒有人能傳訊息給代理"
    ),
    "the policy is `disabled`, so direct messages are ignored": "政策是 `disabled`，所以會忽略私訊",
    "{blocked} blocked the bot; only they can unblock it": "{blocked} 封鎖了機器人；只有他們能解除封鎖",
    "{count:,} person waits to be let in": "有 {count:,} 人等待加入",
    "{count:,} people wait to be let in": "有 {count:,} 人等待加入",
    "people can write to the agent": "有人可以傳訊息給代理",
    "events that could not be processed: {failed}; they are kept": "有 {failed} 個事件無法處理；會保留",
    "`{command}` lists what is open": "`{command}` 會列出未處理的訊息",
    "update this program: a newer version processes them by itself": "請更新這個程式：新版會自動處理它們",
    "{counts}; the oldest open since {oldest}": "{counts}；最舊的從 {oldest} 起未處理",
    "messages are on their way to the agent": "訊息正送往代理",
    "messages that wait for the agent: {open}, the oldest for {duration}": (
        "等待代理的訊息：{open} 則，最久的已等 {duration}"
    ),
    "see the checks `reader` and `mode`; `{command}` lists the messages": (
        "請看檢查 `reader` 和 `mode`；`{command}` 會列出訊息"
    ),
    "{count:,} message is held until its sender is let in": "有 {count:,} 則訊息保留到傳送者加入為止",
    "{count:,} messages are held until their senders are let in": "有 {count:,} 則訊息保留到傳送者加入為止",
    "`{command}` shows who waits; `{command} pair CODE` lets them in": (
        "`{command}` 會顯示誰在等候；`{command} pair CODE` 會讓他們加入"
    ),
    "every message has been answered": "每則訊息都已回覆",
    "no message is waiting": "沒有訊息在等候",
    "{count} open": "未處理 {count}",
    "{count} open ({offered} of them offered to the agent)": "未處理 {count}（其中 {offered} 則已交給代理）",
    "{count} answered": "已回覆 {count}",
    "{count} held until the sender is let in": "等傳送者加入 {count}",
    "{count} failed": "失敗 {count}",
    "{seconds:.0f} s": "{seconds:.0f} 秒",
    "{minutes:.0f} min": "{minutes:.0f} 分鐘",
    "{hours:.0f} h": "{hours:.0f} 小時",
    "a server reads this bot": "有伺服器在讀取這個機器人",
    "no running server reads this bot": "沒有執行中的伺服器讀取這個機器人",
    "no process holds the bot's lock": "沒有行程持有機器人的鎖",
    "start your agent host in the project; the check `mode` says more": (
        "請在專案裡啟動代理的主程式；檢查 `mode` 有更多說明"
    ),
    "process {pid} on {host} for {project}, since {since}": "{host} 上的行程 {pid}，專案 {project}，從 {since} 起",
    "process {pid} on {host}, project {project}, since {since}": "{host} 上的行程 {pid}，專案 {project}，從 {since} 起",
    "another project's server reads this bot, so its messages go there": (
        "另一個專案的伺服器在讀取這個機器人，所以訊息會送到那裡"
    ),
    "{process}; its state folder is {state_dir}": "{process}；它的狀態資料夾是 {state_dir}",
    "end that host, make it hand over (`channels status {channel} --release`), or give each project a bot of its own": (
        "請結束那個主程式、要它交出機器人（`channels status {channel} --release`），或讓每個專案使用自己的機器人"
    ),
    "another program interrupts the reader; see the check `second poller`": (
        "另一個程式打斷了讀取；請看檢查 `second poller`"
    ),
    "the reader cannot read the bot ({state})": "讀取程式無法讀取機器人（{state}）",
    "{process}: {error}": "{process}：{error}",
    "the reader has heard nothing from the platform for {duration}": "讀取程式已有 {duration} 沒有收到平台的回應",
    "{process}; its last completed poll was {last_poll}": "{process}；最後一次完成的輪詢是 {last_poll}",
    "that process hangs or is stopped: resume or end it (kill {pid}), and start the host again": (
        "那個行程卡住或被暫停了：請恢復或結束它（kill {pid}），再重新啟動主程式"
    ),
    "{process}; last poll {when}": "{process}；最後一次輪詢：{when}",
    "not yet": "還沒有",
    # The doctor: the host.
    "`channels setup {channel} --mcp-json yes` adds it": "`channels setup {channel} --mcp-json yes` 會加入",
    "`channels setup {channel} --hooks yes` installs them": "`channels setup {channel} --hooks yes` 會安裝",
    "the host's list of servers cannot be read": "無法讀取主程式的伺服器清單",
    "fix that file": "請修正那個檔案",
    "the entry {name!r} of .mcp.json is not this program": ".mcp.json 的項目 {name!r} 不是這個程式",
    "{reason} ({path})": "{reason}（{path}）",
    "it may have come with a repository: remove it unless it is yours; {add_entry}": (
        "它可能隨儲存庫而來：如果不是你的，請移除；{add_entry}"
    ),
    "the entry {name!r} of .mcp.json is not this program: {reason}; it may have come with a repository, so the host is "
    "not started with it as a trusted channel. Remove it, or correct it with "
    "`channels setup {channel} --mcp-json yes`": (
        ".mcp.json 的項目 {name!r} 不是這個程式：{reason}；它可能隨儲存庫而來，所以不會把它當成可信任的頻道來啟動"
        "主程式。"
        "請移除它，或用 `channels setup {channel} --mcp-json yes` 修正"
    ),
    "the project's settings set variables that steer this program": "專案的設定裡有會影響這個程式的變數",
    "they may have come with a repository: remove them, or set them in your own settings or environment": (
        "它們可能隨儲存庫而來：請移除，或改在你自己的設定或環境變數裡設定"
    ),
    "the server is started by something other than .mcp.json": "伺服器不是由 .mcp.json 啟動的",
    "no agent host is configured to start this server": "沒有任何代理主程式設定為啟動這個伺服器",
    "{path} has no entry for it": "{path} 沒有它的項目",
    "the server {name!r} is disabled in the host's settings": "主程式的設定停用了伺服器 {name!r}",
    "disabledMcpjsonServers in {settings_path}": "{settings_path} 裡的 disabledMcpjsonServers",
    "remove it from that list, or enable it with /mcp in the host": "請從那個清單移除它，或在主程式裡用 /mcp 啟用",
    "the host is configured to start it, as {name!r}": "主程式已設定為啟動它，名稱是 {name!r}",
    "a settings file of the host cannot be read": "無法讀取主程式的設定檔",
    "the host's hooks are switched off": "主程式的 hook 已關閉",
    "disableAllHooks in {path}": "{path} 裡的 disableAllHooks",
    "remove that line": "請移除那一行",
    "the hooks come with the plugin": "hook 由外掛提供",
    "the hooks are not installed, so prompts stay at the terminal": "沒有安裝 hook，所以提示只會留在終端機",
    "the installed hooks cannot run": "安裝的 hook 無法執行",
    "install this program there, or: {install}": "請在那裡安裝這個程式，或：{install}",
    "hooks with our names start another program": "與我們同名的 hook 啟動的是另一個程式",
    "they may have come with a repository: remove them unless they are yours; {install}": (
        "它們可能隨儲存庫而來：如果不是你的，請移除；{install}"
    ),
    "hooks call a server that the host does not start, which shows an error at every step": (
        "hook 呼叫的伺服器沒有由主程式啟動，所以每一步都會顯示錯誤"
    ),
    "some hooks are missing: {missing}": "缺少一些 hook：{missing}",
    "the phone does not see what the agent does, and cannot stop it: the hooks of turns are missing": (
        "手機看不到代理在做什麼，也無法停止它：缺少工作進度的 hook"
    ),
    "they need Claude Code 2.1.118 or later": "它們需要 Claude Code 2.1.118 以上",
    "the hooks are installed": "已安裝 hook",
    "the host was started with its channel flag": "主程式啟動時帶有頻道參數",
    "no host with a channel flag runs this server": "執行這個伺服器的主程式沒有帶頻道參數",
    "no such flag in the command lines above process {pid}": "行程 {pid} 上層的命令列沒有這個參數",
    "no such flag in the command lines above this process": "這個行程上層的命令列沒有這個參數",
    "only pushes need it; the session's inbox socket, the hooks and wait_for_messages work without": (
        "只有推送需要它；工作階段的收件 socket、hook 和 wait_for_messages 都不需要"
    ),
    "the server's process {pid}": "伺服器的行程 {pid}",
    "{name} is set in {place}": "{place} 設定了 {name}",
    "this shell": "這個 shell",
    "no environment variable switches channels off in the host": "沒有環境變數關閉主程式的頻道",
    "pushes are switched off in the host by {names}; the hooks deliver messages instead": (
        "{names} 關閉了主程式的推送；改由 hook 送達訊息"
    ),
    "{names}: with any value, the host shows no channel messages, and does not say so": (
        "{names}：不論是什麼值，主程式都不會顯示頻道訊息，也不會告知"
    ),
    "unset it before the host starts, or let the hooks deliver messages: `channels setup {channel} --hooks yes`": (
        "請在啟動主程式前取消設定，或讓 hook 送達訊息：`channels setup {channel} --hooks yes`"
    ),
    "the organisation's settings cannot be read": "無法讀取組織的設定",
    "the organisation's policy keeps the host from working with this server": "組織的政策不允許主程式使用這個伺服器",
    "ask the administrator of the host; until then only what the policy allows works (`wait_for_messages`)": (
        "請詢問主程式的管理者；在那之前，只有政策允許的功能可用（`wait_for_messages`）"
    ),
    "the organisation restricts nothing here": "組織沒有任何限制",
    "there are no managed settings": "沒有受管理的設定",
    "{restriction} ({path})": "{restriction}（{path}）",
    "{what}: channelsEnabled is false": "{what}：channelsEnabled 是 false",
    "channels are off": "頻道已關閉",
    "hooks are off: disableAllHooks": "hook 已關閉：disableAllHooks",
    "only the organisation's own hooks run: allowManagedHooksOnly": "只執行組織自己的 hook：allowManagedHooksOnly",
    "the session's inbox is closed: crossSessionInbound is refuse": (
        "工作階段的收件匣已關閉：crossSessionInbound 是 refuse"
    ),
    "the server {channel!r} is listed in deniedMcpServers": "伺服器 {channel!r} 列在 deniedMcpServers 裡",
    "the server {channel!r} is not listed in allowedMcpServers": "伺服器 {channel!r} 沒有列在 allowedMcpServers 裡",
    "the bot is never read here": "這裡從不讀取機器人",
    "set `claim: auto` (config.yaml, CHANNELS_CLAIM)": "請設定 `claim: auto`（config.yaml、CHANNELS_CLAIM）",
    "messages are delivered by {name}": "訊息以 {name} 送達",
    "messages are not delivered now": "目前沒有送達訊息",
    "a server is attached to a host but does not read the bot": "有伺服器連著主程式，但沒有讀取機器人",
    "use one of the ways named there; the hooks are the most reliable: `channels setup {channel} --hooks yes`": (
        "請用上面列出的方式之一；hook 最可靠：`channels setup {channel} --hooks yes`"
    ),
    # How messages reach the agent, and why: also told in the chat.
    "set by the operator": "由操作者設定",
    "the host was started with {flag}": "主程式以 {flag} 啟動",
    "the host gave its session's inbox socket": "主程式提供了工作階段的收件 socket",
    "this session runs the hooks {hooks}": "這個工作階段執行 hook：{hooks}",
    "the agent asks for messages by itself": "代理會自行取訊息",
    "nothing shows how this host takes messages, so they are pushed": "看不出這個主程式如何接收訊息，所以用推送",
    "{why}, and the agent has answered that way": "{why}，而且代理用這個方式回覆過",
    "{mode} {why}": "{mode} {why}",
    "drew no answer in {after_s:.0f} s": "在 {after_s:.0f} 秒內沒有得到回覆",
    "messages are kept until the agent calls wait_for_messages": "訊息會保留到代理呼叫 wait_for_messages 為止",
    "the host has not read for {seconds:.0f} s; messages are kept until it does": (
        "主程式已有 {seconds:.0f} 秒沒有讀取；訊息會保留到它讀取為止"
    ),
    "starting": "啟動中",
    "a server is attached (process {pid}) and does not read the bot: {why}": (
        "有伺服器連著（行程 {pid}），但沒有讀取機器人：{why}"
    ),
    "{holder} reads this bot": "{holder} 正在讀取這個機器人",
    "the bot was handed over on request": "機器人已依要求交出",
    "progress is shown in messages, not in drafts: {error}": "進度顯示在訊息裡，而不是草稿：{error}",
    "claim is set to always": "claim 設為 always",
    "claim is set to never": "claim 設為 never",
    "mode is fixed to push": "mode 固定為 push",
    "the agent asks for messages": "代理會取訊息",
    "the agent waits for an answer": "代理正在等候回答",
    "this host gave no sign that it shows channel messages, so the bot is not read for it; start the host with its "
    "channel flag for server:{name}, install the hooks, have the agent call wait_for_messages, or set claim: always in "
    "config.yaml (CHANNELS_CLAIM=always)": (
        "這個主程式沒有顯示它會呈現頻道訊息，所以不為它讀取機器人；請以 server:{name} 的頻道參數啟動主程式、安裝 hook、"
        "讓代理呼叫 wait_for_messages，或在 config.yaml 設定 claim: always（CHANNELS_CLAIM=always）"
    ),
    # Why a file, or what was said in it, did not come along: read by the agent and the person in the bot's language.
    "the file has {size:,} bytes; at most {limit:,} are downloaded. Ask for a smaller file": (
        "檔案有 {size:,} 位元組；最多下載 {limit:,} 位元組。請傳較小的檔案"
    ),
    "the file has more than {limit:,} bytes, the most that is downloaded. Ask for a smaller file": (
        "檔案超過 {limit:,} 位元組，這是下載的上限。請傳較小的檔案"
    ),
    "the platform handed out an empty file; ask the sender to send it again": ("平台給的是空檔案；請傳送者再傳一次"),
    "{platform} does not hand out the file (HTTP {status}); try again later": (
        "{platform} 沒有給出檔案（HTTP {status}）；請稍後再試"
    ),
    "it did not arrive within {seconds:.0f} s": "{seconds:.0f} 秒內沒有收到",
    "the command {command!r} cannot be run ({error}); see transcribe in config.yaml": (
        "無法執行指令 {command!r}（{error}）；請看 config.yaml 的 transcribe"
    ),
    "it was not finished within {seconds:.0f} s (transcribe_s)": "{seconds:.0f} 秒內沒有完成（transcribe_s）",
    "the command ended with code {code}": "指令以代碼 {code} 結束",
    "no words were recognised in it": "沒有辨識出任何內容",
    # What the system refuses, and what to do about it.
    "fix its owner and permissions": "請修正它的擁有者和權限",
    "free some space on that disk": "請在那個磁碟清出一些空間",
    "that disk can only be read: mount it for writing, or use a folder on another one": (
        "那個磁碟只能讀取：請以可寫入的方式掛載，或使用另一個磁碟上的資料夾"
    ),
    "a file stands where a folder has to be: move it away, or name another place": (
        "應該是資料夾的地方有一個檔案：請把它移走，或指定別的地方"
    ),
    "a folder stands where a file has to be: move it away": "應該是檔案的地方有一個資料夾：請把它移走",
    "the disk may be failing: look into the system's log": "磁碟可能快壞了：請看系統的記錄",
    " and ": " 和 ",
    "files of at most {size:,} bytes (ulimit -f)": "最大 {size:,} 位元組的檔案（ulimit -f）",
    "{size:,} MB of address space (ulimit -v)": "{size:,} MB 的位址空間（ulimit -v）",
    "{size:,} MB of data (ulimit -d)": "{size:,} MB 的資料（ulimit -d）",
    "{count} open files (ulimit -n)": "{count} 個開啟的檔案（ulimit -n）",
    "{count} processes and threads (ulimit -u)": "{count} 個行程和執行緒（ulimit -u）",
    "the system allows this process only {limits}; raise that limit": (
        "系統只允許這個行程使用 {limits}；請調高這個限制"
    ),
    "the system allows this process only {size:,} MB of address space (ulimit -v), and this needs {needed:,} "
    "MB; raise that limit": (
        "系統只允許這個行程使用 {size:,} MB 的位址空間（ulimit -v），而這需要 {needed:,} MB；請調高這個限制"
    ),
    "there is too little memory": "記憶體不足",
    "{path} cannot be used: {reason}": "無法使用 {path}：{reason}",
    "{path} cannot be used ({error}); {remedy}": "無法使用 {path}（{error}）；{remedy}",
    "the folder {path} cannot be used ({error}); {remedy}": "無法使用資料夾 {path}（{error}）；{remedy}",
    "the folder {path} cannot be used ({error}); {remedy}, or name another one ({variable}=FOLDER)": (
        "無法使用資料夾 {path}（{error}）；{remedy}，或指定另一個資料夾（{variable}=FOLDER）"
    ),
    "the folder {path} cannot be written to ({error}); {remedy}, or name another one ({variable}=FOLDER)": (
        "無法寫入資料夾 {path}（{error}）；{remedy}，或指定另一個資料夾（{variable}=FOLDER）"
    ),
    "the state folder {path} cannot be entered into {parent} ({error}); {remedy}, or name another one with "
    "CHANNELS_DATA_DIR": (
        "無法把狀態資料夾 {path} 登記到 {parent}（{error}）；{remedy}，或用 CHANNELS_DATA_DIR 指定另一個"
    ),
    "{path} cannot be written ({error}), so nothing was changed; {remedy}": (
        "無法寫入 {path}（{error}），所以沒有任何變更；{remedy}"
    ),
    "{path} cannot be read: it is not UTF-8 text ({reason}); move it away": (
        "無法讀取 {path}：它不是 UTF-8 文字（{reason}）；請把它移走"
    ),
    "{path} cannot be read: {place}; fix that line": "無法讀取 {path}：{place}；請修正那一行",
    "line {line}, column {column}: {reason}": "第 {line} 行第 {column} 欄：{reason}",
    "line {number} of {path} sets nothing: write it as {name}=TOKEN, with no quotes, or let "
    "`channels setup {channel}` do it": (
        "{path} 的第 {number} 行沒有設定任何值：請寫成 {name}=TOKEN，不加引號，或讓 `channels setup {channel}` 代勞"
    ),
    "this user has no home folder (HOME is not set), in which this program notes what is yours; set HOME, or "
    "name a folder with CHANNELS_DATA_DIR": (
        "這個使用者沒有家目錄（沒有設定 HOME），而這個程式要在裡面記下哪些資料是你的；請設定 HOME，或用 "
        "CHANNELS_DATA_DIR 指定資料夾"
    ),
    "{error}; then `channels setup {channel}` writes a new one": (
        "{error}；之後 `channels setup {channel}` 會寫入新的檔案"
    ),
    "{error}; {kept}, so run this again after that": "{error}；{kept}，所以之後請再執行一次",
    "{path} is still open in a program of an older version, which would stop working; end the agent's "
    "sessions in this project, or restart their hosts, and end `channels open`": (
        "舊版程式還開著 {path}，升級會讓它無法運作；請結束這個專案的代理工作階段，或重新啟動主程式，並結束 "
        "`channels open`"
    ),
    "the database {path} cannot be used: {reason}": "無法使用資料庫 {path}：{reason}",
    "the database {path} cannot be used: {error}; {remedy}": "無法使用資料庫 {path}：{error}；{remedy}",
    "the database {path} holds a value that cannot be read ({kind}: {error}): it is damaged, or another "
    "program wrote it; move it away to start afresh (people have to pair again)": (
        "資料庫 {path} 裡有無法讀取的值（{kind}: {error}）：它已損壞，或由別的程式寫入；請把它移走，重新開始"
        "（大家要再配對一次）"
    ),
    "A copy is kept as {copy}.": "副本保留在 {copy}。",
    "{refusal}; keep the state folder on a disk of this machine (<CHANNEL>_STATE_DIR)": (
        "{refusal}；請把狀態資料夾放在這台電腦的磁碟上（<CHANNEL>_STATE_DIR）"
    ),
    "the disk is full; free some space": "磁碟已滿；請清出一些空間",
    "it cannot be written to; fix the owner and permissions of the folder, or mount its disk for writing": (
        "無法寫入；請修正資料夾的擁有者和權限，或以可寫入的方式掛載磁碟"
    ),
    "it cannot be opened; fix the owner and permissions of the folder": "無法開啟；請修正資料夾的擁有者和權限",
    "it is damaged, and is left as it is; move it away to start afresh (people have to pair again).": (
        "它已損壞，保持原樣；請把它移走，重新開始（大家要再配對一次）。"
    ),
    "it is not a database; move it away to start afresh (people have to pair again).": (
        "它不是資料庫；請把它移走，重新開始（大家要再配對一次）。"
    ),
    "reading or writing the disk failed (is it full, or failing?); free some space": (
        "讀寫磁碟失敗（是滿了，還是快壞了？）；請清出一些空間"
    ),
    "it was reopened after a setting changed; call again": "設定變更後已重新開啟；請再呼叫一次",
    "another process has held it for over five seconds; end that process": "另一個行程佔用它超過五秒；請結束那個行程",
    # Connections that fail, by their cause.
    "{platform} cannot be reached: {reason}": "無法連上 {platform}：{reason}",
    "the connection was closed; it is safe to try again": "連線已關閉；可以放心再試一次",
    "the name {host} does not resolve ({why}): see whether this machine is online and its name server answers": (
        "無法解析名稱 {host}（{why}）：請確認這台電腦已連上網路，而且名稱伺服器有回應"
    ),
    "{host}:{port} does not speak TLS ({why}): something else answers there, such as the sign-in page of a "
    "network or a server without a certificate": (
        "{host}:{port} 不使用 TLS（{why}）：回應的是別的東西，例如網路的登入頁面，或沒有憑證的伺服器"
    ),
    "{host}:{port} takes no connection ({why}): {advice}": "{host}:{port} 不接受連線（{why}）：{advice}",
    "nothing listens there, or a firewall refuses it; correct the address if you set one": (
        "那裡沒有程式在聽，或被防火牆拒絕；如果位址是你設定的，請修正"
    ),
    "see whether this machine is online": "請確認這台電腦已連上網路",
    "there was no connection through the proxy {proxy}: see whether this machine is online, and whether a "
    "firewall drops what it sends": (
        "無法透過代理伺服器 {proxy} 連線：請確認這台電腦已連上網路，以及防火牆有沒有丟棄它送出的資料"
    ),
    "there was no connection in time: see whether this machine is online, and whether a firewall drops what it sends": (
        "無法及時建立連線：請確認這台電腦已連上網路，以及防火牆有沒有丟棄它送出的資料"
    ),
    "the proxy {proxy}, takes no connection ({reason}): start it, or correct or remove it there": (
        "代理伺服器 {proxy}，不接受連線（{reason}）：請啟動它，或在那裡修正或移除"
    ),
    "the proxy {proxy}, refuses the user name and the password in it: correct them there": (
        "代理伺服器 {proxy}，拒絕裡面的使用者名稱和密碼：請在那裡修正"
    ),
    "the proxy {proxy}, asks for a user name and a password: write them into it there, as "
    "http://USER:PASSWORD@HOST:PORT": (
        "代理伺服器 {proxy}，要求使用者名稱和密碼：請在那裡寫成 http://USER:PASSWORD@HOST:PORT"
    ),
    "the proxy {proxy}, cannot make the connection ({answer}): see whether it is online itself": (
        "代理伺服器 {proxy}，無法建立連線（{answer}）：請確認它自己已連上網路"
    ),
    "the proxy {proxy}, refuses the connection ({answer}): have it allow this host, or name another proxy there": (
        "代理伺服器 {proxy}，拒絕連線（{answer}）：請讓它允許這個主機，或在那裡指定另一個代理伺服器"
    ),
    "its certificate is not valid yet, and this machine's clock says {now}: set the clock": (
        "它的憑證還沒有生效，而這台電腦的時鐘是 {now}：請校正時鐘"
    ),
    "its certificate has expired, and this machine's clock says {now}: set the clock if that is wrong; else "
    "the operator of that server or proxy has to renew the certificate": (
        "它的憑證已過期，而這台電腦的時鐘是 {now}：如果時間不對，請校正時鐘；否則要由那個伺服器或代理伺服器的"
        "管理者更新憑證"
    ),
    "its certificate is for another name ({reason}): something else answers there, such as a proxy": (
        "它的憑證屬於另一個名稱（{reason}）：回應的是別的東西，例如代理伺服器"
    ),
    "its certificate is not trusted ({reason}): the certificates that count are those of {names}, so add the "
    "one that signed it there, or unset {names}": (
        "它的憑證不受信任（{reason}）：這裡採用 {names} 的憑證，請把簽發它的憑證加進去，或取消設定 {names}"
    ),
    "its certificate is not trusted ({reason}): if a proxy or a virus scanner inspects connections, name the "
    "file with its certificate in NODE_EXTRA_CA_CERTS": (
        "它的憑證不受信任（{reason}）：如果有代理伺服器或防毒軟體檢查連線，請用 NODE_EXTRA_CA_CERTS 指定它的憑證檔"
    ),
    # The doctor: what is not installed.
    "follow that message; the checks `server`, `dns`, `ipv6` and `proxy` say more": (
        "請照上面的訊息處理；檢查 `server`、`dns`、`ipv6` 和 `proxy` 有更多說明"
    ),
    "the file with the token cannot be read: see `settings`": "無法讀取存放 token 的檔案：請見 `settings`",
    "nothing is asked for that is not installed": "要用到的都已安裝",
    "transcribe is local, but its library is missing": "transcribe 設為 local，但缺少它的函式庫",
    "OpenTelemetry's variables are set, but its library is missing": "設定了 OpenTelemetry 的變數，但缺少它的函式庫",
    "voice notes come without text": "語音訊息沒有文字",
    "nothing is traced": "不會送出追蹤資料",
    "it is not there any more: find out what removed it": "它已經不在了：請查出是什麼把它移除的",
    "install `agent-channels[{extras}]` in place of `agent-channels`, as that was installed": (
        "請用原來的安裝方式，改裝 `agent-channels[{extras}]` 來取代 `agent-channels`"
    ),
    # The hub, in the doctor's report.
    "see `hub`": "請見 `hub`",
    "given up": "已放棄",
    "the hub gave no answer in {seconds:.0f} s": "hub 在 {seconds:.0f} 秒內沒有回應",
    "see whether its database is well": "請確認它的資料庫是否正常",
    "the hub's address cannot be used, so nothing is read": "無法使用 hub 的位址，所以不會讀取任何訊息",
    "the hub refuses this program, so nothing is read": "hub 拒絕這個程式，所以不會讀取任何訊息",
    "the hub cannot be reached, so nothing is read here; what people write waits at the platform": (
        "無法連上 hub，所以這裡不會讀取任何訊息；大家寫的訊息會在平台等候"
    ),
    "start the database, or fix the network between": "請啟動資料庫，或修好中間的網路",
    "the hub {address} can be used": "hub {address} 可以使用",
    "the clocks agree": "時鐘一致",
    "this machine's clock is {seconds:.0f} s ahead of the hub's, which matters to nothing in it": (
        "這台電腦的時鐘比 hub 快 {seconds:.0f} 秒，這不影響 hub 的運作"
    ),
    "this machine's clock is {seconds:.0f} s behind the hub's, which matters to nothing in it": (
        "這台電腦的時鐘比 hub 慢 {seconds:.0f} 秒，這不影響 hub 的運作"
    ),
    "nobody reads the bot for the hub, on any machine; what people write waits at the platform": (
        "沒有任何電腦為 hub 讀取機器人；大家寫的訊息會在平台等候"
    ),
    "a session works for this project in {folder} on {machine} too, and each of the two gets only some of the "
    "messages: one state folder is a copy of the other; end the session in the copy, and run `channels hub join "
    "{channel} --as-new` there": (
        "{machine} 上的 {folder} 也有工作階段在處理這個專案，兩邊各只收到一部分訊息：其中一個狀態資料夾是另一個的副本；"
        "請結束副本那邊的工作階段，並在那裡執行 `channels hub join {channel} --as-new`"
    ),
    "a session works for this project here; end it, and run this again": (
        "這裡有工作階段在處理這個專案；請結束它，再執行一次"
    ),
    "nobody ever took the lease": "從來沒有人取得讀取權",
    "the last one was {who}": "上一個是 {who}",
    "start an agent host in one of the projects": "請在其中一個專案啟動代理的主程式",
    "process {pid}, project {project}, reads the bot for itself: let it join with "
    "`channels hub join {channel}` there, or give it a bot of its own": (
        "行程 {pid}（專案 {project}）只為自己讀取機器人：請在那裡用 `channels hub join {channel}` 加入，或讓"
        "它使用自己的機器人"
    ),
    "{who}; its lease ends in {seconds:.0f} s unless it renews it (epoch {epoch})": (
        "{who}；它的讀取權會在 {seconds:.0f} 秒後到期，除非它更新（epoch {epoch}）"
    ),
    "the process that reads for the hub cannot read the bot ({state})": "為 hub 讀取的行程無法讀取機器人（{state}）",
    "{lease}: {error}": "{lease}：{error}",
    "follow that message; `channels doctor {channel}` in its project says more": (
        "請照上面的訊息處理；在它的專案執行 `channels doctor {channel}` 有更多說明"
    ),
    "the bot is read for the hub": "有行程為 hub 讀取機器人",
    "{name} on {machine}: {state}": "{name}（在 {machine}）：{state}",
    "this project is not in the hub yet, so it gets no messages": "這個專案還沒有加入 hub，所以收不到訊息",
    "no project is": "沒有專案加入",
    "`channels hub join {channel}`, or start its agent host": (
        "請執行 `channels hub join {channel}`，或啟動它的主程式"
    ),
    "{count:,} message": "{count:,} 則訊息",
    "{count:,} messages": "{count:,} 則訊息",
    "{count:,} message waits": "有 {count:,} 則訊息",
    "{count:,} messages wait": "有 {count:,} 則訊息",
    "{count:,} message is": "有 {count:,} 則訊息",
    "{count:,} messages are": "有 {count:,} 則訊息",
    "{count:,} project": "{count:,} 個專案",
    "{count:,} projects": "{count:,} 個專案",
    "{projects} in the hub": "hub 裡有 {projects}",
    "{waiting} for projects without a session: {names}": "{waiting}等待沒有工作階段的專案：{names}",
    "start an agent host there; what waits comes then, in order": "請在那裡啟動代理的主程式；等候的訊息就會依序送達",
    "`channels hub status {channel}` shows what waits where": (
        "`channels hub status {channel}` 會顯示哪裡有什麼在等候"
    ),
    "{messages} came from people whom no project lets in, and no project is the default one, which pairs": (
        "有 {messages}來自沒有專案允許加入的人，而且沒有設定負責配對的預設專案"
    ),
    "let one project pair strangers: `channels hub route add {channel} PROJECT --default`": (
        "請讓一個專案負責和陌生人配對：`channels hub route add {channel} PROJECT --default`"
    ),
    "{waiting} for a person to say whose they are": "{waiting}等人說明屬於哪個專案",
    "they answer the question in the chat": "對方會在聊天中回答這個問題",
    "{coming} on the way to this project": "{coming}正送往這個專案",
    "no message waits in the hub for this project": "hub 裡沒有等待這個專案的訊息",
    "an unknown time": "不明的時間",
    "{machine} (this machine)": "{machine}（這台電腦）",
    "process {pid} on {machine}, project {project}, since {since}": (
        "{machine} 上的行程 {pid}，專案 {project}，從 {since} 起"
    ),
    "no session works on this project; its messages wait in the hub": (
        "沒有工作階段在處理這個專案；它的訊息在 hub 等候"
    ),
    # Joining the bot of another project.
    "--manifest goes with a platform whose apps are made from one: {names}": (
        "--manifest 只適用於用 manifest 建立應用程式的平台：{names}"
    ),
    "give either --join, which brings a token, or --token-stdin": (
        "--join 會帶來 token，請只用 --join 或 --token-stdin 其中一個"
    ),
    "several projects are called {name!r}; give the folder: {folders}": (
        "有好幾個專案叫做 {name!r}；請寫出資料夾：{folders}"
    ),
    "no other project of yours has a {channel} bot, so there is none to join; run `channels setup {channel}` there "
    "first": "你沒有其他專案有 {channel} 機器人，所以沒有可以加入的；請先在那裡執行 `channels setup {channel}`",
    "no other project with a bot is called {name!r}, or lies there; there are: {there}": (
        "沒有其他有機器人的專案叫做 {name!r}，或位在那裡；有的是：{there}"
    ),
    "Use {bot} of project {name} ({folder}) here too? It needs no second token, and each message reaches the project "
    "that it is for.": (
        "這裡也要用專案 {name}（{folder}）的 {bot} 嗎？不需要第二個 token，每則訊息都會送到它要給的專案。"
    ),
    "Bots of your other projects, which this one can share without a second token:": (
        "你其他專案的機器人，這個專案不需要第二個 token 就可以共用："
    ),
    "  {number}  {bot} of project {name} ({folder})": "  {number}  專案 {name} 的 {bot}（{folder}）",
    "Share one of them?": "要共用其中一個嗎？",
    "the environment variable {name} says something else, and it goes first; unset it where it is set, and run this "
    "again": "環境變數 {name} 的內容不同，而且優先；請在設定它的地方取消，再執行一次",
    "✓ Project {name} shares its bot from now on: {path} says so, and its servers notice it by themselves.": (
        "✓ 專案 {name} 從現在起共用它的機器人：已寫入 {path}，它的伺服器會自行發現。"
    ),
    "✓ The token of {bot} is copied into {path}, readable by you only.": (
        "✓ {bot} 的 token 已複製到 {path}，只有你可以讀取。"
    ),
    "✓ {joined}": "✓ {joined}",
    "Let the same people in here ({names})?": "要讓同一批人也進入這裡嗎（{names}）？",
    "✓ Let in here too: {names}.": "✓ 也可以進入這裡：{names}。",
    "May {names} answer here too, as in project {project}, what the agent asks permission for?": (
        "{names} 在專案 {project} 可以回覆代理的許可請求，在這裡也可以嗎？"
    ),
    "✓ They may: {names}.": "✓ 可以：{names}。",
    "· Groups are not copied: {names} stay with project {project} alone; --same-groups enables them here too.": (
        "· 群組不會複製：{names} 仍只屬於專案 {project}；用 --same-groups 也在這裡啟用。"
    ),
    "✓ Enabled here too: {names}.": "✓ 這裡也已啟用：{names}。",
    # From a bot of its own to a shared one.
    "this project shares the bot that it would leave; take it out first with `channels hub leave {channel}`": (
        "這個專案和其他專案共用它要離開的機器人；請先用 `channels hub leave {channel}` 退出"
    ),
    "This project has a bot of its own. Move it to @{bot}? Its people, history and open messages stay; the earlier bot "
    "closes what it asked, says where to go on, and is not read any more.": (
        "這個專案有自己的機器人。要移到 @{bot} 嗎？人員、歷史和未處理的訊息都會保留；原來的機器人會結束它問過的問題、"
        "告訴大家到哪裡繼續，之後不再有人讀取。"
    ),
    "nothing was changed: this project keeps its own bot": "沒有任何變更：這個專案保留自己的機器人",
    "✓ Moved to @{bot}: people, history and {messages} stay, and are answered through it.": (
        "✓ 已移到 @{bot}：人員、歷史和{messages}都保留，並由它回覆。"
    ),
    "{count:,} open message": "{count:,} 則未處理的訊息",
    "{count:,} open messages": "{count:,} 則未處理的訊息",
    "· @{bot} can write only to people who have pressed Start with it; anybody else must open {link} first": (
        "· @{bot} 只能寫給已經對它按過開始（Start）的人；還沒有按過的人請開啟 {link}"
    ),
    "· @{bot} can write only to people who share a server with it: {link}": (
        "· @{bot} 只能寫給和它有共同伺服器的人：{link}"
    ),
    "· {groups} stay enabled; add @{bot} there too, and remove the earlier bot.": (
        "· {groups}仍然啟用；請也把 @{bot} 加入那裡，並移除原來的機器人。"
    ),
    "· @{bot} has no direct chat with {user} ({error})": "· @{bot} 和 {user} 沒有直接聊天（{error}）",
    "{holder}, reads the bot that this project leaves; end that session, and run this again": (
        "{holder}，正在讀取這個專案要離開的機器人；請結束那個工作階段，再執行一次"
    ),
    "· The earlier bot cannot be read any more ({error}): what people wrote to it and no server has read stays there, "
    "and its open buttons stay as they are.": (
        "· 原來的機器人已經無法讀取（{error}）：大家寫給它而沒有伺服器讀過的內容會留在那裡，它未處理的按鈕也維持原樣。"
    ),
    "the bot that this project leaves cannot be read ({error}), so what waits there would be lost; nothing was "
    "changed, so run this again later": (
        "無法讀取這個專案要離開的機器人（{error}），在那裡等候的內容會遺失；沒有任何變更，請稍後再執行一次"
    ),
    "✓ The earlier bot said in every direct chat where to go on, and closed {panels} that it had open.": (
        "✓ 原來的機器人已在每個直接聊天說明到哪裡繼續，並關閉了它還開著的{panels}。"
    ),
    "{count:,} question": "{count:,} 個問題",
    "{count:,} questions": "{count:,} 個問題",
    "the bot that this project leaves still has messages after {seconds:.0f} s; nothing was changed, so run this "
    "again": ("{seconds:.0f} 秒後，這個專案要離開的機器人仍有訊息；沒有任何變更，請再執行一次"),
    # The keeper.
    "a keeper reads the bot while no session does": "沒有工作階段時，有看守程式讀取機器人",
    "no keeper runs; while no session runs nobody reads the bot, and nobody is told that messages wait": (
        "沒有看守程式在執行；沒有工作階段時，沒有人讀取機器人，也沒有人會知道有訊息在等候"
    ),
    "no keeper was heard of lately": "最近沒有任何看守程式的消息",
    "`channels hub install --now`, or run `channels hub keep`": (
        "請執行 `channels hub install --now`，或執行 `channels hub keep`"
    ),
    "`channels hub log` on the keeper's machine says why it does not read": (
        "在看守程式所在的電腦上，`channels hub log` 會說明它為什麼沒有讀取"
    ),
    "the keeper's unit {path} does not run it: `channels hub install --now`": (
        "看守程式的單元 {path} 沒有在執行：請執行 `channels hub install --now`"
    ),
    "no keeper is installed: `channels hub install --now` has the bot read without a session too": (
        "沒有安裝看守程式：`channels hub install --now` 讓機器人在沒有工作階段時也有人讀取"
    ),
    "another one's server, or the keeper, reads the bot: {process}": (
        "由另一個專案的伺服器或看守程式讀取機器人：{process}"
    ),
    "the keeper, process {pid} on {machine}, since {since}": "看守程式，{machine} 上的行程 {pid}，自 {since} 起",
    "the keeper, process {pid} on {machine}, since {since}; its lease ends in {seconds:.0f} s unless it renews it": (
        "看守程式，{machine} 上的行程 {pid}，自 {since} 起；若不續約，租約在 {seconds:.0f} 秒後結束"
    ),
    "process {pid} on {machine}": "{machine} 上的行程 {pid}",
    "process {pid} on {machine}, may start {names}": "{machine} 上的行程 {pid}，可以啟動 {names}",
    "none; `channels hub install --now` has the bot read while no session does": (
        "沒有；`channels hub install --now` 讓機器人在沒有工作階段時也有人讀取"
    ),
    "keeper": "看守程式",
    "another keeper keeps the bot {bot} already: process {pid} on {host}; there is need for one only "
    "(`channels hub log` shows what it does)": (
        "另一個看守程式已經在看守機器人 {bot}：{host} 上的行程 {pid}；只需要一個（`channels hub log` 會顯示它做了什麼）"
    ),
    "No project of yours on this machine shares a bot yet; waiting for one that does (`channels hub join CHANNEL` in "
    "its folder).": (
        "你在這台電腦上還沒有共用機器人的專案；正在等候（請在專案的資料夾執行 `channels hub join CHANNEL`）。"
    ),
    "Keeping {bot} in the hub {hub}: {projects} here, of which {startable} may be started from the chat.": (
        "正在看守 hub {hub} 裡的 {bot}：這裡有 {projects}，其中 {startable} 個可以從聊天啟動。"
    ),
    "there is neither systemd nor launchd here; have whatever starts programs on this machine run `channels hub "
    "keep`": ("這裡既沒有 systemd 也沒有 launchd；請讓這台電腦上啟動程式的機制執行 `channels hub keep`"),
    "{path} cannot be written ({error}); {remedy}": "無法寫入 {path}（{error}）；{remedy}",
    "fix PATH or HOME": "請修正 PATH 或 HOME",
    "The unit {path} runs `channels hub keep`.": "單元 {path} 會執行 `channels hub keep`。",
    "It was started; `channels hub log` shows what it does.": "已經啟動；`channels hub log` 會顯示它做了什麼。",
    "This puts it to work: {commands}": "這樣讓它開始工作：{commands}",
    "It ends when you log out, unless you run `loginctl enable-linger`.": (
        "你登出時它就會結束，除非執行 `loginctl enable-linger`。"
    ),
    "this program was only fetched to be run once, so no unit can run it tomorrow; install it first, with `uv tool "
    "install` or `pipx install`": (
        "這個程式只是下載來執行一次，所以明天沒有單元能執行它；請先用 `uv tool install` 或 `pipx install` 安裝"
    ),
    "The unit {path} is stopped and removed.": "單元 {path} 已停止並移除。",
    "There is no unit {path}.": "沒有單元 {path}。",
    "{path} cannot be removed ({error}); remove it yourself": "無法移除 {path}（{error}）；請自行移除",
    "`{command}` failed: {reason}; run it yourself once that is fixed": (
        "`{command}` 失敗：{reason}；修正之後請自行執行"
    ),
    "it said nothing": "它什麼都沒說",
    # `channels hub`.
    "Address of the hub (postgresql://user:password@host/database?sslmode=require), not shown: ": (
        "hub 的位址（postgresql://user:password@host/database?sslmode=require），不會顯示："
    ),
    "No routes: people whom several projects let in are asked which one they mean.": (
        "沒有路由：有多個專案允許的人，會被詢問是指哪一個。"
    ),
    "thread {key}": "討論串 {key}",
    "chat {key}": "聊天 {key}",
    "person {key}": "個人 {key}",
    "strangers, and whatever fits several projects": "陌生人，以及同時適合多個專案的訊息",
    "{name:<18} {what} (made at a terminal, {since})": "{name:<18} {what}（在終端機設定，{since}）",
    "{name:<18} {what} (made by {by}, {since})": "{name:<18} {what}（由 {by} 設定，{since}）",
    "{name} now gets: {what}.": "{name} 現在會收到：{what}。",
    "Removed: {what}.": "已移除：{what}。",
    "there is no route for {what}; `channels hub route list {channel}` shows all": (
        "沒有 {what} 的路由；`channels hub route list {channel}` 會顯示全部"
    ),
    "name one of --chat ID, --thread ID (with --chat where it needs one), --person ID, --default": (
        "請指定其中一項：--chat ID、--thread ID（需要時加上 --chat）、--person ID、--default"
    ),
    "no project of this bot is called {name!r}; there are: {names}": (
        "這個機器人沒有名為 {name!r} 的專案；現有：{names}"
    ),
    "Servers that run here notice it by themselves; `channels hub status {channel}` shows who reads the bot.": (
        "在這裡執行的伺服器會自行發現；`channels hub status {channel}` 會顯示由誰讀取機器人。"
    ),
    "This project is now {name} in the hub {address}, beside {others}.": (
        "這個專案現在是 hub {address} 裡的 {name}，同在的還有 {others}。"
    ),
    "This project is now {name} in the hub {address}.": "這個專案現在是 hub {address} 裡的 {name}。",
    "This project was not in the hub {address}; it reads its bot for itself.": (
        "這個專案本來就不在 hub {address} 裡；它自己讀取機器人。"
    ),
    "This project has left the hub {address}, and reads its bot for itself.": (
        "這個專案已離開 hub {address}，現在自己讀取機器人。"
    ),
    "{names} still share the bot, and one program at a time can read it. Give this project another one: "
    "`channels setup {channel} --token-stdin < FILE`.": (
        "{names} 仍然共用這個機器人，而同一時間只有一個程式能讀取它。請給這個專案另一個機器人："
        "`channels setup {channel} --token-stdin < FILE`。"
    ),
    "This project has left the hub {address}.": "這個專案已離開 hub {address}。",
    "{messages} that waited for it will be asked about.": "原本等待它的 {messages}，會詢問屬於哪個專案。",
    "what was read is not a whole address; give all of it, as in "
    "postgresql://user:password@host/database?sslmode=require": (
        "讀到的不是完整的位址；請寫出全部，例如 postgresql://user:password@host/database?sslmode=require"
    ),
    "give the address either as an argument or on standard input": "位址請用參數或標準輸入其中一種方式提供",
    "a password in an argument can be read by every user of this machine; pass the address with "
    "--address-stdin, or set PGPASSWORD in the state folder's .env": (
        "參數裡的密碼，這台電腦的每個使用者都讀得到；請用 --address-stdin 傳入位址，或在狀態資料夾的 .env 設"
        "定 PGPASSWORD"
    ),
    "no token is set, so there is no bot to share; run `channels setup {channel}`": (
        "沒有設定 token，所以沒有機器人可以共用；請執行 `channels setup {channel}`"
    ),
    "this project shares its bot with no other; `channels hub join {channel}` does that": (
        "這個專案沒有和別的專案共用機器人；`channels hub join {channel}` 會讓它共用"
    ),
    "the environment variable {name} names another hub, and it goes first; change it there": (
        "環境變數 {name} 指定了另一個 hub，而且優先；請在那裡變更"
    ),
    "the environment variable {name} names the hub; unset it where it is set, and run this again": (
        "環境變數 {name} 指定了 hub；請在設定它的地方取消，再執行一次"
    ),
    "{path} names the hub: remove the line `hub:` there, and run this again": (
        "{path} 指定了 hub：請移除那裡的 `hub:` 這一行，再執行一次"
    ),
    "{holder}, does not let go of the hub; end that session, and run `channels hub leave {channel}` again": (
        "{holder}，沒有放開 hub；請結束那個工作階段，再執行一次 `channels hub leave {channel}`"
    ),
    "{messages} that waited for it: the session that reads the bot here next gets them.": (
        "有 {messages}在等候它：下一個在這裡讀取機器人的工作階段會收到。"
    ),
    "this project shares its bot through the hub {address}; leave that one first, with `channels hub leave "
    "{channel}`": "這個專案透過 hub {address} 共用機器人；請先用 `channels hub leave {channel}` 退出那個 hub",
    "{name} is this project; `channels hub leave {channel}` takes it out": (
        "{name} 就是這個專案；`channels hub leave {channel}` 會讓它退出"
    ),
    "a session works on {name}, in {folder} on {machine}; run `channels hub leave {channel}` there": (
        "有工作階段在處理 {name}（{machine} 上的 {folder}）；請在那裡執行 `channels hub leave {channel}`"
    ),
    "{name} is out of the hub; if a session starts there once more, it joins again.": (
        "{name} 已不在 hub 裡；如果那裡再有工作階段啟動，它會再次加入。"
    ),
    "The hub still counts this project as one of its own ({error}); `channels hub rm {channel} NAME` in another of its "
    "projects takes it out.": (
        "hub 仍然把這個專案算在內（{error}）；在它的另一個專案裡執行 `channels hub rm {channel} NAME` 會把它移除。"
    ),
    "The hub does not know it yet ({error}); it hears of it once a session or a keeper runs here.": (
        "hub 還不知道這件事（{error}）；這裡有工作階段或看守程式執行時，它就會知道。"
    ),
    "  a copy of {folder}: where they share a bot, this is a project of its own from now on": (
        "  這是 {folder} 的副本：兩者共用機器人時，它從現在起是獨立的專案"
    ),
    "on {platform} a thread is named with its chat: --chat ID --thread {thread}": (
        "在 {platform} 上，討論串要連同它的聊天一起指定：--chat ID --thread {thread}"
    ),
    "this project": "這個專案",
    "read by": "讀取者",
    "reading": "讀取",
    "undecided": "未決定",
    "unclaimed": "無人認領",
    "nobody": "沒有",
    "nobody; what people write waits at the platform": "沒有；大家寫的訊息留在平台等候",
    "not in the hub yet": "還沒有加入 hub",
    "{name} (id {id})": "{name}（id {id}）",
    "process {pid} on {machine} in {folder}, since {since}; its lease ends in {seconds:.0f} s unless it renews it": (
        "{machine} 上的行程 {pid}，在 {folder}，從 {since} 起；它的讀取權會在 {seconds:.0f} 秒後到期，除非它更新"
    ),
    "{messages}: a person is asked whose they are": "{messages}：會詢問對方屬於哪個專案",
    "{messages} from people whom no project lets in": "{messages}，來自沒有專案允許加入的人",
    "{does} ({folder} on {machine})": "{does}（{machine} 的 {folder}）",
    "ready": "待命",
    "no session": "沒有工作階段",
    "away, last heard of at {time}": "離線，最後一次有消息是 {time}",
    "no session, its process has ended; last heard of at {time}": (
        "沒有工作階段，它的程序已經結束；最後一次有消息是 {time}"
    ),
    "{state} (last heard of at {time})": "{state}（最後一次有消息是 {time}）",
    "{names}; default: every one that has a hub here": "{names}；預設：這裡每個有 hub 的頻道",
    "this project shares no bot with another; `channels hub join CHANNEL` does that": (
        "這個專案沒有與其他專案共用機器人；`channels hub join CHANNEL` 可以設定"
    ),
    "{name!r} cannot be a project's name; {other!r} can": "專案名稱不能是 {name!r}；可以用 {other!r}",
    "another project is called {name!r}; `channels hub status` lists them": (
        "另一個專案已經叫做 {name!r}；`channels hub status` 會列出來"
    ),
    "a hub in PostgreSQL needs the extra `hub`; install it with `{command}`": (
        "PostgreSQL 的 hub 需要額外套件 `hub`；請用 `{command}` 安裝"
    ),
    "a hub on this machine needs SQLite {needed}, and Python has {found} here; use a newer Python, or a hub "
    "in PostgreSQL": (
        "這台電腦上的 hub 需要 SQLite {needed}，而這裡的 Python 使用 {found}；請改用較新的 Python，或 PostgreSQL 的 hub"
    ),
    "the hub {address} asks for a password, and none is set; put PGPASSWORD=... into .env in the "
    "channel's state folder, or give the whole address with --address-stdin": (
        "hub {address} 要求密碼，但沒有設定；請把 PGPASSWORD=... 寫進該頻道狀態資料夾裡的 .env，"
        "或用 --address-stdin 提供完整位址"
    ),
    "the hub {address} cannot be reached: {reason}; is the database running?": (
        "無法連上 hub {address}：{reason}；資料庫在執行嗎？"
    ),
    "the hub {address} failed: {reason}": "hub {address} 發生錯誤：{reason}",
    "the hub {address} has tables of another program ({reason}); give the hub a database of its own": (
        "hub {address} 裡有別的程式的資料表（{reason}）；請給 hub 專用的資料庫"
    ),
    "the hub {address} is PostgreSQL {found}, and a hub needs {needed} or newer; update the server": (
        "hub {address} 是 PostgreSQL {found}，而 hub 需要 {needed} 以上；請更新伺服器"
    ),
    "the hub {address} is held by another process for over {seconds:.0f} s; end it": (
        "hub {address} 被另一個行程佔用超過 {seconds:.0f} 秒；請結束那個行程"
    ),
    "the hub {address} keeps text as {encoding}, which has no place for most letters; make the database with "
    "`CREATE DATABASE channels ENCODING 'UTF8' TEMPLATE template0`": (
        "hub {address} 以 {encoding} 儲存文字，大部分的字都放不下；請用 "
        "`CREATE DATABASE channels ENCODING 'UTF8' TEMPLATE template0` 建立資料庫"
    ),
    "the hub {address} refuses: {reason}; fix the address or the database": (
        "hub {address} 拒絕：{reason}；請修正位址或資料庫"
    ),
    "the hub {address} was made by a newer version (schema {version}, this program knows {known}); update "
    "this program with `channels update`": (
        "hub {address} 是由較新的版本建立的（結構版本 {version}，這個程式認得到 {known}）；請用 "
        "`channels update` 更新這個程式"
    ),
    "the hub {address}: {reason}; make its user the owner of the database (ALTER DATABASE … OWNER TO …)": (
        "hub {address}：{reason}；請讓它的使用者成為資料庫的擁有者（ALTER DATABASE … OWNER TO …）"
    ),
    "the setting hub is not an address that PostgreSQL's library can read": (
        "設定 hub 的位址，PostgreSQL 的函式庫無法解讀"
    ),
    "{path} holds the hub's password, and goes into backups; move the address into the state folder's "
    ".env with `channels hub join {channel} --address-stdin`, and remove the line `hub:`": (
        "{path} 裡有 hub 的密碼，而這個檔案會進備份；請用 `channels hub join {channel} --address-stdin` 把位址移到"
        "狀態資料夾的 .env，並移除 `hub:` 那一行"
    ),
    "the setting hub names the service {service!r}; write host, database and user into the address instead": (
        "設定 hub 指定了 service {service!r}；請改在位址裡寫主機、資料庫和使用者"
    ),
    "the setting hub: {address} would send messages to {host} in clear text; add sslmode=require (or "
    "verify-full, which also checks whose certificate it is) to the address": (
        "設定 hub：{address} 會以明文把訊息送到 {host}；請在位址加上 sslmode=require（或 verify-full，還會檢"
        "查憑證屬於誰）"
    ),
    "the hub {address} can only be read: it is a standby, or was set to read-only; give the address of the primary "
    "server, or allow writing (ALTER DATABASE … SET default_transaction_read_only = off)": (
        "hub {address} 只能讀取：它是備援伺服器，或被設成唯讀；請改用主要伺服器的位址，或允許寫入"
        "（ALTER DATABASE … SET default_transaction_read_only = off）"
    ),
    "a hub is left only while it can be reached, since it holds what waits for this project; if it is gone for good, "
    "remove the line {variable}= from {path}": (
        "只有連得上 hub 時才能離開，因為它保留著等待這個專案的訊息；如果它不會再回來，"
        "請從 {path} 移除 {variable}= 那一行"
    ),
    "the setting hub begins with {kind!r}, and names no hub": "設定 hub 以 {kind!r} 開頭，不是任何 hub 的位址",
    "the setting hub is an address with a `/` or an `@` where none can be, or with a port that is not a number; in a "
    "user or a password write %2F for `/`, %40 for `@`, %3A for `:` and %25 for `%`": (
        "設定 hub 的位址裡，在不該出現的地方有 `/` 或 `@`，或者連接埠不是數字；使用者名稱或密碼裡的 `/` 請寫成 %2F、"
        "`@` 寫成 %40、`:` 寫成 %3A、`%` 寫成 %25"
    ),
    "write `local`, or postgresql://user@host/database?sslmode=require": (
        "請寫 `local`，或 postgresql://user@host/database?sslmode=require"
    ),
    # `channels open`, and what it does.
    "The page: {url}": "頁面：{url}",
    "Anyone who has this address can read the chats and let people in. Ctrl-C ends it.": (
        "有這個網址的人可以讀取聊天，也可以讓人加入。按 Ctrl-C 結束。"
    ),
    "\nStopped. The servers go on as before.": "\n已停止。伺服器照常執行。",
    "It is offered to the agent again.": "會再交給代理一次。",
    "Dropped: it is not offered to the agent any more.": "已放棄：不再交給代理。",
    "Paired {who}. {told}": "已和 {who} 配對。{told}",
    "The running server will tell them.": "執行中的伺服器會通知對方。",
    "They have been told.": "已通知對方。",
    "They will be told when a server next reads this bot.": "等伺服器下次讀取這個機器人，就會通知對方。",
    "The first person in. Nobody may answer permission prompts from chat yet; if this is you:\n  channels "
    "access {channel} approver add {user_id}": (
        "這是第一位成員。目前還沒有人能在聊天中回答許可請求；如果是你本人：\n  channels access {channel} "
        "approver add {user_id}"
    ),
    "When everybody is in: `channels access {channel} policy allowlist` gives strangers no answer at all.": (
        "所有人都加入之後：`channels access {channel} policy allowlist` 會完全不回應陌生人。"
    ),
    "{code!r} is not a pairing code; a code has {length} characters, such as ABCD2345": (
        "{code!r} 不是配對碼；配對碼有 {length} 個字元，例如 ABCD2345"
    ),
    "no server has read this bot yet, so its name is not known here; run "
    "`channels access {channel_name} invite`, which asks the platform": (
        "還沒有伺服器讀取過這個機器人，所以這裡不知道它的名稱；請執行 `channels access {channel_name} invite`"
        "，它會詢問平台"
    ),
    "there is no message {delivery_id!r}; `channels inbox {channel} --json` lists them by delivery_id": (
        "沒有訊息 {delivery_id!r}；`channels inbox {channel} --json` 會依 delivery_id 列出"
    ),
    "{delivery_id} cannot be dropped: {reason}": "無法放棄 {delivery_id}：{reason}",
    "{delivery_id} cannot be redelivered: {reason}": "無法重新送達 {delivery_id}：{reason}",
    "its sender waits to be let in: `channels access {channel} pair CODE`, or "
    "`channels access {channel} deny CODE`, which drops it": (
        "傳送者等待加入：`channels access {channel} pair CODE`，或 `channels access {channel} deny CODE`，會"
        "放棄這則訊息"
    ),
    "it is answered already": "已經回覆了",
    "this program answered it itself; it is not for the agent": "這個程式已自行回覆；不是給代理的",
    "it is dropped already": "已經放棄了",
    "it is not for the agent": "不是給代理的",
    "this version could not process it, and it is kept for a newer one": "這個版本無法處理，保留給較新的版本",
    "it is not ready yet, or is part of another message": "還沒有準備好，或是另一則訊息的一部分",
    "{most} wrong codes were tried; approval by code is locked for {minutes} more minutes. The operator can "
    "still let a person in by id: `allow ID`": (
        "已試過 {most} 個錯誤的配對碼；接下來 {minutes} 分鐘不能用配對碼核准。操作者仍可用 id 讓人加入：`allow ID`"
    ),
    "the code {code!r} has expired; ask the person to write to the bot again for a new one": (
        "配對碼 {code!r} 已過期；請對方再傳訊息給機器人，取得新的配對碼"
    ),
    "no pending pairing has the code {code!r}; check it for typing errors": (
        "沒有等候中的配對使用配對碼 {code!r}；請檢查是否打錯"
    ),
    "no pending pairing has the code {code!r}; check it for typing errors, or have the person write to the "
    "bot again ({left} more wrong codes lock approval for an hour)": (
        "沒有等候中的配對使用配對碼 {code!r}；請檢查是否打錯，或請對方再傳訊息給機器人（再錯 {left} 次，一小"
        "時內就不能用配對碼核准）"
    ),
    # The command line, and what is wrong with it.
    "usage: ": "用法：",
    "error: {reason}": "錯誤：{reason}",
    "options": "選項",
    "positional arguments": "引數",
    "argument {name}: {problem}": "引數 {name}：{problem}",
    "the following arguments are required: {names}": "缺少必要的引數：{names}",
    "not allowed with argument {other}": "不能和引數 {other} 一起使用",
    "ignored explicit argument {value}": "不接受值 {value}",
    "ambiguous option: {option} could match {matches}": "選項 {option} 不明確，可能是 {matches}",
    "expected one argument": "需要一個值",
    "expected at least one argument": "至少需要一個值",
    "expected at most one argument": "最多只能有一個值",
    "there is no {kind} {value!r}; {known}": "沒有 {value!r} 這個{kind}；{known}",
    "verb": "指令",
    "channel": "頻道",
    "action": "動作",
    "policy": "政策",
    "shell": "shell",
    "there is no option {option} here; {known}": "這裡沒有選項 {option}；{known}",
    "nothing is expected where {word!r} stands; a text of several words needs quotes": (
        "{word!r} 的位置不需要任何內容；有空格的文字要加引號"
    ),
    "{value!r} is not one of its values; {known}": "{value!r} 不是可用的值；{known}",
    "there is no verb {word!r}; `channels --help` lists them": "沒有 {word!r} 這個指令；`channels --help` 會列出全部",
    "there is no verb {word!r}; did you mean `channels {near}`? `channels --help` lists them": (
        "沒有 {word!r} 這個指令；你是指 `channels {near}` 嗎？`channels --help` 會列出全部"
    ),
    "did you mean {near!r}?": "你是指 {near!r} 嗎？",
    "there are {names}": "可用的有：{names}",
    "{text!r} is not an id: a number of at most 20 digits (names can change hands, so they never decide)": (
        "{text!r} 不是 id：id 是最多 20 位的數字（名稱可能換人使用，所以不能作為依據）"
    ),
    "{text!r} is not an id as events carry them (names can change hands, so they never decide)": (
        "{text!r} 不是事件裡的那種 id（名稱可能換人使用，所以不能作為依據）"
    ),
    "{text!r} is not a port; it must be a number from 0 to 65535": "{text!r} 不是連接埠；必須是 0 到 65535 的數字",
    "{text!r} is not a time; give how long ago (30m, 12h, 7d, 2w), a date (2026-01-31) or an ISO time": (
        "{text!r} 不是時間；請寫多久以前（30m、12h、7d、2w）、日期（2026-01-31）或 ISO 時間"
    ),
    "{text!r} is not a number of messages; give 1 or more": "{text!r} 不是訊息的數量；請寫 1 以上的數字",
    "{text!r} is not a version of the Bot API; write it as 10.0": "{text!r} 不是 Bot API 的版本；請寫成 10.0 的形式",
    "a transcript is for people; leave --json out, or --transcript and --keep": (
        "逐字紀錄是給人看的；請不要加 --json，或不要加 --transcript 和 --keep"
    ),
    "the folder that this was started in does not exist any more: change to another one": (
        "啟動時所在的資料夾已經不存在：請切換到另一個資料夾"
    ),
    "{what} cannot listen on port {port} ({reason}); name another with --port, or 0 for a free one": (
        "{what}無法使用連接埠 {port}（{reason}）；請用 --port 指定另一個，或用 0 自動選擇"
    ),
    "the page": "頁面",
    "No browser was opened: there is no screen here. Open the address above in one on this machine.": (
        "沒有打開瀏覽器：這裡沒有螢幕。請在這台電腦的瀏覽器打開上面的網址。"
    ),
    "It opens in your browser. If it does not, open the address above.": (
        "會在你的瀏覽器打開。如果沒有，請打開上面的網址。"
    ),
    "Project {folder}": "專案 {folder}",
    " or ": " 或 ",
    "none": "無",
    "nothing": "沒有內容",
    "{count:,} byte": "{count:,} 位元組",
    "{count:,} bytes": "{count:,} 位元組",
    "{count:,} file": "{count:,} 個檔案",
    "{count:,} files": "{count:,} 個檔案",
    "and {count} more": "以及另外 {count} 個",
    "Nothing was changed.": "沒有任何變更。",
    "{path} cannot be read ({error})": "無法讀取 {path}（{error}）",
    # `channels status`.
    "state folder": "狀態資料夾",
    "bot": "機器人",
    "last poll": "上次輪詢",
    "delivery": "送達方式",
    "messages": "訊息",
    "restarted": "重新啟動",
    "working": "工作中",
    "group seen": "看過的群組",
    "blocked by": "被誰封鎖",
    "plain text": "純文字",
    "remark": "備註",
    "note": "說明",
    "problem": "問題",
    "@{username} (id {id})": "@{username}（id {id}）",
    "{bot}, token from {source}": "{bot}，token 取自 {source}",
    "{count} paired": "已配對 {count} 人",
    "{count} waiting": "等候中 {count} 人",
    "reading now": "讀取中",
    "connecting": "連線中",
    "idle": "閒置",
    "unauthorized": "token 被拒絕",
    "conflict": "與別的程式衝突",
    "rate limited": "平台限制了請求",
    "unreachable": "無法連上平台",
    "store": "無法寫入資料庫",
    "never": "從來沒有",
    "{mode} ({why})": "{mode}（{why}）",
    "{count:,} time": "{count:,} 次",
    "{count:,} times": "{count:,} 次",
    "{times}, the last at {last}: {why}": "{times}，最近一次是 {last}：{why}",
    "since {since}: {running} ({steps})": "從 {since} 起：{running}（{steps}）",
    "thinking": "思考中",
    "{count:,} step": "{count:,} 步",
    "{count:,} steps": "{count:,} 步",
    "{steps}, asked to stop": "{steps}，已要求停止",
    "{id} {title} (not enabled)": "{id} {title}（未啟用）",
    "{user_id}: only they can unblock the bot": "{user_id}：只有對方能解除封鎖",
    "see `{command}`": "請看 `{command}`",
    "no token is set; run `channels setup {channel}`": "沒有設定 token；請執行 `channels setup {channel}`",
    "nobody reads this bot, so there is nothing to hand over": "沒有程式讀取這個機器人，所以沒有可以交出的",
    "Asked {holder}, to hand the bot over. Another server that waits for it takes over within seconds; without "
    "one, nobody reads the bot for {seconds:.0f} seconds, and then that process goes on.": (
        "已要求 {holder} 交出機器人。如果有另一個伺服器在等，幾秒內就會接手；如果沒有，機器人會有 {seconds:.0f} "
        "秒沒有程式讀取，之後由那個行程繼續。"
    ),
    # `channels access`.
    "Denied {who}; what they wrote was dropped.": "已拒絕 {who}；對方寫的訊息已放棄。",
    "Policy for direct messages: {policy}. {meaning}": "私訊政策：{policy}。{meaning}",
    "Strangers get a code that you can approve.": "陌生人會收到配對碼，由你核准。",
    "Strangers get no answer at all.": "完全不回應陌生人。",
    "Nobody can write directly; enabled groups still work.": "沒有人能傳私訊；已啟用的群組仍可使用。",
    "{user_id} may answer permission prompts now.": "{user_id} 現在可以回答許可請求。",
    "{user_id} no longer answers permission prompts.": "{user_id} 不再回答許可請求。",
    "{user_id} is not an approver; `channels access {channel}` shows who is": (
        "{user_id} 不是核准者；`channels access {channel}` 會顯示誰是"
    ),
    "{user_id} is not paired; only a paired person can be an approver: pair or allow them first": (
        "{user_id} 還沒有配對；只有已配對的人能當核准者：請先配對或允許對方"
    ),
    "{user_id} is not a person's id; people's ids are above zero (groups: `group add`)": (
        "{user_id} 不是個人的 id；個人的 id 大於零（群組請用 `group add`）"
    ),
    "{user_id} is not a person's id, but a chat's (groups: `group add`)": (
        "{user_id} 不是個人的 id，而是聊天的 id（群組請用 `group add`）"
    ),
    "{user_id} could write already.": "{user_id} 本來就可以傳訊息。",
    "{user_id} may write to the bot now.": "{user_id} 現在可以傳訊息給機器人。",
    "{who} may write now. {told}": "{who} 現在可以傳訊息。{told}",
    "Removed {user_id} from every list.": "已將 {user_id} 從所有名單移除。",
    "nobody with the id {user_id} is on a list; `channels access {channel}` shows who is": (
        "名單上沒有 id 是 {user_id} 的人；`channels access {channel}` 會顯示名單"
    ),
    "--allow names nobody; give comma-separated ids, or leave it out for every member": (
        "--allow 沒有指定任何人；請寫以逗號分隔的 id，或不加這個選項，讓所有成員都可以"
    ),
    "Group {group_id} is enabled. The agent gets {when} from {who}.": (
        "群組 {group_id} 已啟用。代理會收到{who}的{when}。"
    ),
    "For the bot to hear messages that do not name it: {steps}.": "要讓機器人聽到沒有提到它的訊息：{steps}。",
    "Group {group_id} is disabled.": "群組 {group_id} 已停用。",
    "the group {group_id} is not enabled; `channels access {channel}` shows which are": (
        "群組 {group_id} 沒有啟用；`channels access {channel}` 會顯示哪些已啟用"
    ),
    "every message": "所有訊息",
    "messages that mention the bot or reply to it": "提到或回覆機器人的訊息",
    "messages that mention the bot or reply to it, and those that match {patterns}": (
        "提到或回覆機器人的訊息，以及符合 {patterns} 的訊息"
    ),
    "every member": "所有成員",
    "{count:,} listed person": "名單上 {count:,} 人",
    "{count:,} listed people": "名單上 {count:,} 人",
    "{name} (id {id}, @{username})": "{name}（id {id}、@{username}）",
    "{channel}: policy {policy} ({folder})": "{channel}：政策 {policy}（{folder}）",
    "paired": "已配對",
    "nobody yet": "還沒有人",
    "{who} (approver)": "{who}（核准者）",
    "waiting": "等候中",
    "{who}, since {since}: ask them for their code; `channels access {channel} pair CODE` lets them in": (
        "{who}，從 {since} 起：請向對方索取配對碼；`channels access {channel} pair CODE` 會讓對方加入"
    ),
    "group": "群組",
    "{group}: {messages} from {senders}": "{group}：{senders}的{messages}",
    "seen": "看過",
    "{group} (not enabled; `channels access {channel} group add {group_id}`)": (
        "{group}（未啟用；`channels access {channel} group add {group_id}`）"
    ),
    "  {count} more asked in the last hour while three were waiting, and got no code": (
        "  過去一小時還有 {count} 人想加入，但已有三人在等候，所以沒有得到配對碼"
    ),
    "there are {count} patterns; at most {most} are allowed: join some with |": (
        "有 {count} 個模式；最多 {most} 個：請用 | 合併一些"
    ),
    "a pattern has {count} characters; it must have 1 to {most}": "有一個模式有 {count} 個字元；必須是 1 到 {most} 個",
    "the pattern {pattern!r} {problem}": "模式 {pattern!r} {problem}",
    "the pattern {pattern!r} is not a regular expression: {error}": "模式 {pattern!r} 不是正規表示式：{error}",
    "matches every message; use --no-mention for that": "會符合所有訊息；請改用 --no-mention",
    "takes too long on a text that is hard for it; write it without nested repetition": (
        "遇到棘手的文字會花太久；請不要用巢狀的重複"
    ),
    "takes too long to be judged; write it without nested repetition": "檢查花了太久；請不要用巢狀的重複",
    # `channels inbox`.
    "received": "已收到",
    "offered": "已交出",
    "held": "保留中",
    "asked": "回答中",
    "answered": "已回覆",
    "dropped": "已放棄",
    "failed": "失敗",
    "(for this program, which answered it)": "（給這個程式的，已自行回覆）",
    "(not read yet)": "（還沒有讀取）",
    "no open messages": "沒有未處理的訊息",
    "no messages yet": "還沒有訊息",
    "{delivery_id} redelivered": "{delivery_id} 會重新送達",
    "{delivery_id} dropped": "{delivery_id} 已放棄",
    "{count}d": "{count} 天",
    "{count}h": "{count} 小時",
    "{count}m": "{count} 分",
    "{count}s": "{count} 秒",
    "nothing is logged in {places}": "{places} 裡沒有任何記錄",
    # `channels loop`.
    "No loop is running.": "沒有執行中的循環。",
    "{count:,} loop": "{count:,} 個循環",
    "{count:,} loops": "{count:,} 個循環",
    "{loops} stopped.": "已停止 {loops}。",
    "round {round} of {most}": "第 {round} 輪，最多 {most} 輪",
    "begun by {who}": "由 {who} 開始",
    "begun by {who} in {channel} chat {chat}": "由 {who} 在 {channel} 聊天 {chat} 開始",
    "the terminal": "終端機",
    "a loop belongs to an agent's session: run this in one (CLAUDE_CODE_SESSION_ID is not set)": (
        "循環屬於代理的工作階段：請在工作階段裡執行（沒有設定 CLAUDE_CODE_SESSION_ID）"
    ),
    "this project has no channel yet; run `channels setup`": "這個專案還沒有頻道；請執行 `channels setup`",
    "no hook of ours has run in this session, so nothing would begin the rounds; run `channels setup`": (
        "這個工作階段還沒有執行過我們的 hook，所以不會開始任何一輪；請執行 `channels setup`"
    ),
    "a loop runs in this session already; `channels loop stop` ends it": (
        "這個工作階段已經有循環在執行；`channels loop stop` 會結束它"
    ),
    "a loop runs in this session already ({place}, {round}); `channels loop stop` ends it": (
        "這個工作階段已經有循環在執行（{place}，{round}）；`channels loop stop` 會結束它"
    ),
    # `channels backup` and `restore`.
    "this project has no state yet; run `channels setup`": "這個專案還沒有狀態；請執行 `channels setup`",
    "copying to {file}": "正在複製到 {file}",
    "{name} ({size})": "{name}（{size}）",
    "It holds what people wrote, and the bots' tokens are in it. `channels restore` brings it back.": (
        "裡面有大家寫的訊息，也有機器人的 token。`channels restore` 會還原它。"
    ),
    "It holds what people wrote, and the bots' tokens are not in it. `channels restore` brings it back.": (
        "裡面有大家寫的訊息，沒有機器人的 token。`channels restore` 會還原它。"
    ),
    "{target} exists, and a backup overwrites nothing; name another file": (
        "{target} 已經存在，而備份不會覆寫任何檔案；請指定另一個檔案"
    ),
    "unpacking {channel}": "正在解開 {channel}",
    "a server or a hook has the state of {channel} open, so nothing was changed; end the agent's sessions in "
    "this project, and `channels open`, first (`channels status {channel}` says who reads the bot)": (
        "有伺服器或 hook 開著 {channel} 的狀態，所以沒有任何變更；請先結束這個專案的代理工作階段和 "
        "`channels open`（`channels status {channel}` 會顯示誰在讀取機器人）"
    ),
    "a backup of {made_at}, by version {version}:": "{made_at} 的備份，由 {version} 版建立：",
    "{channel}: what {folder} will hold": "{channel}：還原後 {folder} 的內容",
    "not in the backup: this project's own stays": "不在備份裡：保留這個專案自己的",
    "nothing was changed: there is nobody to ask; repeat the command with --yes": (
        "沒有任何變更：沒有人可以詢問；請加上 --yes 再執行一次"
    ),
    "Restore it?": "要還原嗎？",
    "{path} cannot be renamed ({error}); all is as it was": "無法重新命名 {path}（{error}）；一切保持原樣",
    "{channel}: restored into {folder}": "{channel}：已還原到 {folder}",
    "{messages} will be offered again": "{messages}會再交給代理一次",
    "  what was there before is in {folder}: remove it once you do not need it": (
        "  原來的內容在 {folder}：不需要時請移除"
    ),
    "  it has no token: run `channels setup {channel}`": "  裡面沒有 token：請執行 `channels setup {channel}`",
    "{path} is not a backup that can be restored: {error}; nothing was changed": (
        "{path} 不是可以還原的備份：{error}；沒有任何變更"
    ),
    "the backup of {channel} needs {needed:,} bytes, and {folder} has {free:,}": (
        "{channel} 的備份需要 {needed:,} 位元組，而 {folder} 只剩 {free:,}"
    ),
    "{path}: {name} is damaged ({error})": "{path}：{name} 已損壞（{error}）",
    "{path}: {name} is damaged (its size is not the one in the list)": "{path}：{name} 已損壞（大小和清單不符）",
    "it has {count:,} entries": "它有 {count:,} 個項目",
    "it holds {name!r} twice": "它有兩個 {name!r}",
    "no backup holds {name!r}": "備份裡不會有 {name!r}",
    "it has no {file}": "它沒有 {file}",
    "it holds the state of no channel": "裡面沒有任何頻道的狀態",
    "{name} is not a file": "{name} 不是檔案",
    "{name} is encrypted, or packed in a way that backups are not": "{name} 已加密，或壓縮方式和備份不同",
    "{name} has {size:,} bytes, and no person writes so much": "{name} 有 {size:,} 位元組，不像是人寫的",
    "it is not of format {format}; a newer version of this program may have written it": (
        "它不是格式 {format}；可能是由這個程式較新的版本寫入的"
    ),
    "{database} in the backup is not a database of this program": "備份裡的 {database} 不是這個程式的資料庫",
    "{database} in the backup is damaged: {reason}": "備份裡的 {database} 已損壞：{reason}",
    "{database} in the backup: {problem}": "備份裡的 {database}：{problem}",
    "{database} in the backup has other tables than this program makes": (
        "備份裡的 {database} 有這個程式不會建立的資料表"
    ),
    "{database} in the backup cannot be read: {error}": "無法讀取備份裡的 {database}：{error}",
    # `channels trust`.
    "nothing was changed: there is nobody to ask; if what is listed is yours, repeat the command with --yes": (
        "沒有任何變更：沒有人可以詢問；如果列出的內容是你的，請加上 --yes 再執行一次"
    ),
    "{folder}: trusted already": "{folder}：已經信任",
    "{folder}: not made by you on this machine": "{folder}：不是你在這台電腦上建立的",
    "files": "檔案",
    "sets {names}": "設定了 {names}",
    "sets nothing": "沒有設定任何值",
    "{count:,} person": "{count:,} 人",
    "{count:,} people": "{count:,} 人",
    "{count:,} approver": "{count:,} 位核准者",
    "{count:,} approvers": "{count:,} 位核准者",
    "Adopt {folder}?": "要採用 {folder} 嗎？",
    "{folder} cannot be adopted: {objection}": "無法採用 {folder}：{objection}",
    "the state folder {folder} cannot be adopted, and nothing in it was read: {objection}": (
        "無法採用狀態資料夾 {folder}，也沒有讀取裡面的任何內容：{objection}"
    ),
    "  adopted: this program uses it from now on; `channels trust --forget {folder}` undoes that": (
        "  已採用：這個程式從現在起會使用它；`channels trust --forget {folder}` 會取消"
    ),
    "there is no state folder in {where}; name one, or `channels setup` makes one": (
        "{where}裡沒有狀態資料夾；請指定一個，或用 `channels setup` 建立"
    ),
    "say which channel: {names}": "請指定頻道：{names}",
    "{names}: not adopted, so there is nothing to undo": "{names}：沒有採用過，所以沒有可以取消的",
    "{folder}: forgotten; its files stay, and nothing in it is used any more": (
        "{folder}：已取消採用；檔案會保留，但不再使用裡面的任何內容"
    ),
    "it is your home folder": "它是你的家目錄",
    "your home folder lies in it": "你的家目錄在它裡面",
    "it is a folder of the system": "它是系統的資料夾",
    "it is the project's own folder; its state folders lie below it": "它是專案本身的資料夾；狀態資料夾在它下面",
    "it also holds {names}, which this program does not make; name the state folder itself, or move those files "
    "out of it first": ("裡面還有 {names}，不是這個程式建立的；請指定狀態資料夾本身，或先把那些檔案移走"),
    "it holds nothing of this program; `channels setup` makes a state folder": (
        "裡面沒有這個程式的內容；`channels setup` 會建立狀態資料夾"
    ),
    "it cannot be read, so nobody can tell what it holds": "無法讀取，所以不知道裡面有什麼",
    "it cannot be read: a link or a pipe is in its place": "無法讀取：那裡是連結或管道",
    "it was left in the middle of a change (channel.db-journal), so nobody can tell what it holds": (
        "它停在變更的途中（channel.db-journal），所以不知道裡面有什麼"
    ),
    "it has more than {size} MB, so it was not read; nobody can tell what it holds": (
        "它超過 {size} MB，所以沒有讀取；不知道裡面有什麼"
    ),
    "a program writes to it just now, so nobody can tell what it holds; end that program": (
        "有程式正在寫入，所以不知道裡面有什麼；請結束那個程式"
    ),
    "a newer version of this program wrote it, so this one cannot tell what it holds": (
        "它是由這個程式較新的版本寫入的，所以這個版本不知道裡面有什麼"
    ),
    "it holds what this program never makes ({kinds}), so nobody can tell what it does later": (
        "裡面有這個程式不會建立的東西（{kinds}），所以不知道它之後會做什麼"
    ),
    # `channels update` and `uninstall`.
    "Agent Channels {version}, installed by {installer}, in {folder}.": (
        "Agent Channels {version}，由 {installer} 安裝在 {folder}。"
    ),
    "A newer version comes with:\n  {command}": "用這個指令更新到新版：\n  {command}",
    "Run it now?": "現在要執行嗎？",
    "`{command}` failed; its exit code is {code}": "`{command}` 失敗；結束代碼是 {code}",
    "Now end and start your agent's sessions again: a running server goes on with the old version.": (
        "現在請結束並重新啟動代理的工作階段：執行中的伺服器仍是舊版。"
    ),
    "{program!r} is not on the PATH here; run the command above where it is": (
        "這裡的 PATH 沒有 {program!r}；請在有它的地方執行上面的指令"
    ),
    "uvx, for the moment": "uvx（暫時）",
    "`pipx run`, for the moment": "`pipx run`（暫時）",
    "pip from the clone {source}": "pip（來自複本 {source}）",
    "pip from {source}": "pip（來自 {source}）",
    "the package index": "套件索引",
    "the plugin of Claude Code": "Claude Code 的外掛",
    "The plugin brings its own: `claude plugin update agent-channels`, then a new session.": (
        "外掛自帶程式：請執行 `claude plugin update agent-channels`，再開新的工作階段。"
    ),
    "The clone {source} is gone: install the program again.": "複本 {source} 已經不在了：請重新安裝這個程式。",
    "It is the clone itself, so pull there, and install what the new version needs:\n  {pull}\n  {install}": (
        "使用的就是複本，所以請在那裡更新，並安裝新版需要的套件：\n  {pull}\n  {install}"
    ),
    "It is kept for the moment only; the newest one runs with:\n  {command}": (
        "它只會暫時保留；用這個指令執行最新版：\n  {command}"
    ),
    "It came from the file {source}, which gets no newer. With a newer file:\n  {command}": (
        "它來自檔案 {source}，這個檔案不會更新。有較新的檔案時：\n  {command}"
    ),
    "There is nothing of this program in this project, nor in your folders.": (
        "這個專案和你的資料夾裡都沒有這個程式的內容。"
    ),
    "the server in": "伺服器，在",
    "the hooks in": "hook，在",
    "the skill": "技能",
    "the unit": "服務設定",
    "· stays, since somebody changed it: {path}": "· 有人改過，所以保留：{path}",
    "· state, with token, people and messages: {path}": "· 狀態，包括 token、成員和訊息：{path}",
    "Take that out?": "要移除這些嗎？",
    "What becomes of the state?": "狀態要如何處理？",
    "nothing was changed: there is nobody to ask; if what is listed may go, repeat it with --yes": (
        "沒有任何變更：沒有人可以詢問；如果列出的內容可以移除，請加上 --yes 再執行一次"
    ),
    "nothing was changed: {holder} reads the bot; end that session first": (
        "沒有任何變更：{holder} 正在讀取機器人；請先結束那個工作階段"
    ),
    "Done.": "完成。",
    "The state is kept; `channels uninstall --state delete` deletes it.": (
        "狀態會保留；`channels uninstall --state delete` 會刪除它。"
    ),
    "Files as they were before `channels setup` changed them: {path}": "`channels setup` 變更之前的檔案：{path}",
    "The plugin is the host's to remove:\n  claude plugin uninstall {plugin}": (
        "外掛要由主程式移除：\n  claude plugin uninstall {plugin}"
    ),
    "The program itself goes with:\n  {command}": "移除程式本身的指令：\n  {command}",
    # `channels launch`.
    "the agent host {name!r} is not there; install it, or name it with --host PATH": (
        "找不到代理的主程式 {name!r}；請安裝它，或用 --host PATH 指定"
    ),
    "no message would reach the session": "沒有訊息能送達這個工作階段",
    "note ({channel}, {name}): {found}; {next}": "請注意（{channel}，{name}）：{found}；{next}",
    "channels cannot work here: {reason}. The hooks bring the messages instead; they are installed.": (
        "頻道在這裡無法運作：{reason}。改由 hook 送達訊息；已經安裝。"
    ),
    "channels cannot work here: {reason}. The hooks bring the messages instead, for this session.": (
        "頻道在這裡無法運作：{reason}。這個工作階段改由 hook 送達訊息。"
    ),
    "the plugin {plugin} is an allowed channel.": "外掛 {plugin} 是允許的頻道。",
    "{sources} is not on a list of allowed channels, so the host is started with {flag} and asks you whether you "
    "trust it: it is this program, started as your .mcp.json or the plugin says.": (
        "{sources} 不在允許的頻道清單上，所以主程式會以 {flag} 啟動，並詢問你是否信任它：它就是這個程式，依照你的"
        " .mcp.json 或外掛的設定啟動。"
    ),
    "its name {name!r} is not a plain name": "它的名稱 {name!r} 不是一般的名稱",
    "it starts a program that does not exist, {command!r}": "它啟動的程式 {command!r} 不存在",
    "it starts {command!r}, which is not this program": "它啟動的是 {command!r}，不是這個程式",
    "it sets {names} for the server": "它為伺服器設定了 {names}",
    "{names} in {path}": "{path} 裡的 {names}",
    "{path} is nested too deeply; fix it first": "{path} 的巢狀層數太多；請先修正",
    "{path} is not JSON: {error}": "{path} 不是 JSON：{error}",
    "{path} must hold a JSON object; it holds {value}": "{path} 的內容必須是 JSON 物件；現在是 {value}",
    "{path} has more than {max_bytes:,} bytes, so it was not read; fix it first": (
        "{path} 超過 {max_bytes:,} 位元組，所以沒有讀取；請先修正"
    ),
    "{path} cannot be opened ({reason}); fix that file or its folder": (
        "無法開啟 {path}（{reason}）；請修正那個檔案或它的資料夾"
    ),
    "{path} cannot be opened ({reason}); {limits}": "無法開啟 {path}（{reason}）；{limits}",
    "{refusal}; set XDG_RUNTIME_DIR to a folder on a disk of this machine": (
        "{refusal}；請把 XDG_RUNTIME_DIR 設為這台電腦磁碟上的資料夾"
    ),
    # `channels import`.
    "Into {folder}:": "匯入到 {folder}：",
    "  nothing new": "  沒有新的內容",
    "  = {item} (was there already)": "  = {item}（原本就有）",
    "Not taken over:": "沒有匯入：",
    "Next: `channels doctor {channel}`.": "下一步：`channels doctor {channel}`。",
    "the token": "token",
    "the token: there is none": "token：沒有",
    "the token: {error}": "token：{error}",
    "the token: another one is set already; --token yes replaces it": "token：已經設定了另一個；--token yes 會取代它",
    "Another token of {title} is set here. Replace it?": "這裡已經設定了另一個 {title} 的 token。要取代嗎？",
    "setting {name}": "設定 {name}",
    "settings: {path} is yours; add these lines yourself:\n      {lines}": (
        "設定：{path} 是你的檔案；請自行加入這幾行：\n      {lines}"
    ),
    "ackReaction {value!r}: a message that was received is marked with 👀 here": (
        "ackReaction {value!r}：這裡以 👀 標示收到的訊息"
    ),
    "the agent says which part answers which message": "由代理決定哪一部分回覆哪則訊息",
    "a part is as long as the platform allows": "每一部分的長度就是平台的上限",
    "text is cut at paragraphs, lists and sentences": "文字會在段落、清單和句子之間切開",
    "delivery settings that are not valid: {values!r}": "無效的送達設定：{values!r}",
    "{folder} is not a folder; name the one that holds access.json and .env": (
        "{folder} 不是資料夾；請指定存放 access.json 和 .env 的資料夾"
    ),
    "{folder} holds neither access.json nor a .env with {token_name}; is it the right folder?": (
        "{folder} 裡沒有 access.json，也沒有含 {token_name} 的 .env；資料夾對嗎？"
    ),
    "{path} cannot be read ({error}); nothing was changed": "無法讀取 {path}（{error}）；沒有任何變更",
    "{path} is larger than {max_bytes:,} bytes; nothing was changed": "{path} 超過 {max_bytes:,} 位元組；沒有任何變更",
    "{path} must hold a JSON object; it holds {value}; nothing was changed": (
        "{path} 的內容必須是 JSON 物件；現在是 {value}；沒有任何變更"
    ),
    "{where}: it is not a list": "{where}：不是陣列",
    "{where}: {ids} (only numeric ids decide here, since names change hands)": (
        "{where}：{ids}（這裡只以數字 id 為依據，因為名稱可能換人使用）"
    ),
    "allowFrom: {person} is not a person's id": "allowFrom：{person} 不是個人的 id",
    "pending: {count} people who wait for approval; they get a new code when they write": (
        "pending：{count} 人等待核准；對方再傳訊息就會收到新的配對碼"
    ),
    "mentionPatterns: {error}": "mentionPatterns：{error}",
    "groups: it is not an object": "groups：不是物件",
    "groups: {key!r} (not a numeric id with a rule)": "groups：{key!r}（不是附有規則的數字 id）",
    "groups: {key}, since nobody on its list has a numeric id": "groups：{key}，因為名單上沒有人有數字 id",
    "groups.{key}.threadId: the rule holds for the whole group here, with all of its topics": (
        "groups.{key}.threadId：這裡的規則適用於整個群組，包括所有主題"
    ),
    "dmPolicy: {policy!r} is unknown; direct messages are disabled until you choose one": (
        "dmPolicy：不認得 {policy!r}；在你選擇政策之前，私訊會停用"
    ),
    "dmPolicy disabled closes groups too there; here it closes direct messages only": (
        "dmPolicy disabled 在那裡也會關閉群組；在這裡只會關閉私訊"
    ),
    "{name}: not known here": "{name}：這裡不認得",
    "person {person}": "個人 {person}",
    "group {chat_id}": "群組 {chat_id}",
    "policy {policy}": "政策 {policy}",
    # Settings that are wrong.
    "setting": "設定",
    "argument": "引數",
    "unknown {kind} {name}; {hint}": "不認得的{kind} {name}；{hint}",
    "{kind} {name!r} is missing": "缺少{kind} {name!r}",
    "{kind} {name!r} is {value}: {reason}": "{kind} {name!r} 是 {value}：{reason}",
    "{problem} (its new name is {name!r})": "{problem}（新的名稱是 {name!r}）",
    "{problem} (set by {variable})": "{problem}（由 {variable} 設定）",
    "it takes none": "它不需要任何值",
    "did you mean {name!r}, formerly {old!r}?": "你是指 {name!r}（以前叫 {old!r}）嗎？",
    "a list": "陣列",
    "a text": "文字",
    "true or false": "true 或 false",
    "a number": "數字",
    "{old} is now called {new}; the old name still works": "{old} 現在叫 {new}；舊名稱仍可使用",
    "{path} cannot be locked ({reason}), and without locks two programs would write at once; it is on {place}": (
        "無法鎖定 {path}（{reason}），而沒有鎖，兩個程式會同時寫入；它在{place}上"
    ),
    "the file system of {folder}": "{folder} 的檔案系統",
    "the file system {kind} ({source}), mounted at {point}": "掛載在 {point} 的檔案系統 {kind}（{source}）",
    "{variable} is {value!r}, which is not used: {error}; correct or unset {variable}": (
        "{variable} 是 {value!r}，沒有使用：{error}；請修正或取消設定 {variable}"
    ),
    "write it as https://host[:port][/path]": "請寫成 https://host[:port][/path]",
    "plain http would show the token to the network; use https or loopback": (
        "純 http 會讓網路上的人看到 token；請用 https 或這台電腦的位址"
    ),
    "--projects plays on the page, with an agent each; leave --agent, --transcript and --keep out": (
        "--projects 在頁面上播放，各有一個代理；請拿掉 --agent、--transcript 和 --keep"
    ),
    "a transcript and --projects choose their channel themselves; leave it out": (
        "逐字紀錄和 --projects 會自己選擇頻道；請拿掉頻道"
    ),
    "{text!r} is not a number of projects; it must be from 2 to 5": "{text!r} 不是專案的數目；必須是 2 到 5",
    "the hub {address} was moved or replaced while it was in use": "hub {address} 在使用中被移走或換掉",
    "the hub {address} knows no project yet": "hub {address} 還不認得任何專案",
    "with {flag} the host asks something at its start": "使用 {flag} 時，主程式啟動時會詢問",
    "there is no host of that name": "沒有這個名稱的主機",
    # Agent hosts other than Claude Code.
    "agent host": "主程式",
    "the server": "伺服器",
    "{what} in": "{what}，在",
    "{path}: {error}": "{path}：{error}",
    "{path} is not UTF-8: {error}": "{path} 不是 UTF-8：{error}",
    "{path} is not TOML: {error}; fix it first": "{path} 不是 TOML：{error}；請先修正",
    "{path}: {key} is not a table; fix it first": "{path}：{key} 不是表格；請先修正",
    "{key} is not an object; fix it first": "{key} 不是物件；請先修正",
    "{key} does not hold lists of hooks by event; fix it first": "{key} 裡不是依事件排列的 hook 清單；請先修正",
    "which files {title} reads is not known to this program; enter the server there yourself, as its own documentation "
    "says: `channels serve {channel}`": (
        "這個程式不知道 {title} 讀取哪些檔案；請依照它的說明文件自行加入伺服器：`channels serve {channel}`"
    ),
    "which files {title} reads is not known to this program": "這個程式不知道 {title} 讀取哪些檔案",
    "enter the server there yourself, as its own documentation says: `channels serve {channel}`": (
        "請依照它的說明文件自行加入伺服器：`channels serve {channel}`"
    ),
    "Enter {what} into {path}, which {title} reads for all your projects?": (
        "要把{what}加入 {path} 嗎？{title} 在你所有的專案都會讀取它"
    ),
    "· Left out: {what} in {path}, since the file is outside of the project. `channels setup {channel} --host {host} "
    "--yes` enters it.": (
        "· 略過：{path} 裡的{what}，因為檔案在專案之外。`channels setup {channel} --host {host} --yes` 會加入。"
    ),
    "{title} is installed": "{title} 已安裝",
    "{title} is not on the PATH of this shell": "這個 shell 的 PATH 裡沒有 {title}",
    "no program {name!r}": "沒有程式 {name!r}",
    "install it, or start it where it is on the PATH": "請安裝，或在 PATH 裡有它的地方啟動",
    "{path} lacks {what}": "{path} 缺少{what}",
    "a file of the host cannot be read": "主程式的一個檔案無法讀取",
    "{title} is not set up to start this server with all that it needs": (
        "{title} 還沒有設定好，無法帶著所需的一切啟動這個伺服器"
    ),
    "`channels setup {channel} --host {host}` adds it": "`channels setup {channel} --host {host}` 會加入",
    "{title} is set up to start this server": "{title} 已設定為啟動這個伺服器",
    "{hosts} starts it": "由 {hosts} 啟動",
    "{title} is woken for a message: {how}.": "有訊息時會叫醒 {title}：{how}。",
    "nothing wakes {title} from outside: its agent has to ask for messages, with wait_for_messages.": (
        "沒有辦法從外面叫醒 {title}：它的代理必須用 wait_for_messages 自己取訊息。"
    ),
    "{why}, and is woken: {how}": "{why}，而且會被叫醒：{how}",
    "host": "主程式",
    "{title}, client {client}": "{title}，用戶端 {client}",
    "{host}; it keeps pull: its agent has to call wait_for_messages": (
        "{host}；維持 pull：它的代理必須呼叫 wait_for_messages"
    ),
    # Codex.
    "Codex trusts this project, and reads its .codex folder": "Codex 信任這個專案，會讀取它的 .codex 資料夾",
    "Codex reads the .codex folder of this project only once it trusts the project": (
        "Codex 要先信任這個專案，才會讀取它的 .codex 資料夾"
    ),
    "{path} does not say so for {project}": "{path} 沒有這樣記載 {project}",
    "{path} cannot be read": "無法讀取 {path}",
    "start codex in the project, and answer its question with yes": "請在專案裡啟動 codex，並對它的詢問回答 yes",
    "Copilot trusts this project, and runs its hooks": "Copilot 信任這個專案，會執行它的 hook",
    "Copilot runs the hooks of a project only once it trusts the folder": (
        "Copilot 要先信任這個資料夾，才會執行專案的 hook"
    ),
    "start copilot in the project, and answer its question with yes": "請在專案裡啟動 copilot，並對它的詢問回答 yes",
    "Codex runs a hook only once you have reviewed it": "Codex 要等你檢查過，才會執行 hook",
    "type /hooks in Codex after each set-up, and trust those that start this program": (
        "每次設定之後，請在 Codex 裡輸入 /hooks，信任啟動這個程式的那些 hook"
    ),
    "`codex queue` gives the session a prompt": "`codex queue` 會給工作階段一個提示",
    # Gemini CLI and Qwen Code.
    "the server and the hooks": "伺服器與 hook",
    "the inbox of its session, which it names to the programs that it starts": (
        "它的工作階段的收件匣，它會告訴自己啟動的程式"
    ),
    "{path} does not exist; start Continue once, which writes it": "{path} 不存在；請先啟動一次 Continue，它會建立",
    "{path}: {key} is written in a way that is not changed here; enter the server by hand": (
        "{path}：{key} 的寫法這裡不會更動；請自行加入伺服器"
    ),
    "{path} has comments that would be lost; enter {what} by hand": ("{path} 裡的註解會因此遺失；請自行加入{what}"),
    "{path} is not YAML: {error}; fix it first": "{path} 不是 YAML：{error}；請先修正",
    "{path} is not a YAML mapping; fix it first": "{path} 不是 YAML 物件；請先修正",
    "{key} in {path} is not a list; fix it first": "{path} 裡的 {key} 不是陣列；請先修正",
    "Kimi Code starts the servers of a project only once it trusts the folder": (
        "Kimi Code 要先信任這個資料夾，才會啟動專案的伺服器"
    ),
    'start kimi in the project, and choose "Trust this folder"': "請在專案裡啟動 kimi，選擇「Trust this folder」",
    # Summaries of videos.
    "Chinese, Japanese and Korean": "中文、日文和韓文",
    "Arabic": "阿拉伯文",
    "Hebrew": "希伯來文",
    "emoji in colour": "彩色表情符號",
    "Getting what is said ...": "正在取得影片內容 ...",
    "Looking up {video} ...": "正在查詢 {video} ...",
    "Making the PDF ({language}) ...": "正在製作 PDF（{language}）...",
    "Uploading ...": "正在上傳 ...",
    "PDFs cannot be rendered, or some characters would be missing": "無法產生 PDF，或會缺少部分字元",
    "PDFs have a font for every script": "PDF 的每種文字都有字型",
    "Pango; CJK, Arabic, Hebrew, emoji": "Pango；中日韓文、阿拉伯文、希伯來文、表情符號",
    "missing: {what}": "缺少：{what}",
    "run `{command}`": "執行 `{command}`",
    "The upload failed ({error}); the PDFs are sent as files.": "上傳失敗（{error}）；PDF 會以檔案傳送。",
    "yt2pdf is on, but its libraries are missing": "已開啟 yt2pdf，但缺少它的函式庫",
    "summaries of videos are not offered": "不會提供影片摘要",
    "yt2pdf_s3 is set, but its library is missing": "已設定 yt2pdf_s3，但缺少它的函式庫",
    "PDFs are sent as files": "PDF 會以檔案傳送",
    "YouTube answered in a way that this version does not understand": "YouTube 的回應是這個版本看不懂的",
    "YouTube asks this machine to prove that it is no bot": "YouTube 要求這台電腦證明自己不是機器人",
    "YouTube cannot be reached": "無法連線到 YouTube",
    "ask again some hours after it has ended": "請在直播結束幾小時後再試",
    "ask for a shorter one": "請改用較短的影片",
    "ask its owner to share it, or have the operator name the cookies.txt of somebody who may see it": (
        "請影片擁有者分享，或請操作者指定有權觀看者的 cookies.txt"
    ),
    "bring newer versions: `pip install -U yt-dlp youtube-transcript-api`": (
        "請更新版本：`pip install -U yt-dlp youtube-transcript-api`"
    ),
    "check the link": "請檢查連結",
    "check this machine's connection and its proxy (HTTPS_PROXY), and try again": (
        "請檢查這台電腦的網路連線和代理伺服器（HTTPS_PROXY），然後再試一次"
    ),
    "give both summaries: --en FILE --zh FILE": "請提供兩份摘要：--en 檔案 --zh 檔案",
    "have the operator name a browser's cookies.txt as yt2pdf_cookies in config.yaml": (
        "請操作者在 config.yaml 以 yt2pdf_cookies 指定瀏覽器的 cookies.txt"
    ),
    "have the operator name the cookies.txt of a member's browser as yt2pdf_cookies in config.yaml": (
        "請操作者在 config.yaml 以 yt2pdf_cookies 指定頻道會員瀏覽器的 cookies.txt"
    ),
    "have the operator set transcribe in config.yaml, for example to local": (
        "請操作者在 config.yaml 設定 transcribe，例如 local"
    ),
    "it said: {words}": "它說：{words}",
    "the file {path} (yt2pdf_cookies in config.yaml) cannot be read; name another": (
        "無法讀取檔案 {path}（config.yaml 的 yt2pdf_cookies）；請指定另一個"
    ),
    "the renderer of PDFs lacks a library of the system ({error}); install it with `{command}`": (
        "PDF 產生器缺少系統函式庫（{error}）；請執行 `{command}` 安裝"
    ),
    "the video has no captions and is too long to write down what is said in it": (
        "影片沒有字幕，而且太長，無法把語音轉成文字"
    ),
    "the video has no captions, and what is said in it cannot be written down here": (
        "影片沒有字幕，這裡也無法把語音轉成文字"
    ),
    "the video has not begun, or is still live": "影片尚未開始，或仍在直播",
    "the video is for members of its channel": "這部影片只給頻道會員觀看",
    "the video is not shown in this machine's country": "這部影片不在這台電腦所在的國家播放",
    "the video is private": "這部影片是私人影片",
    "the video is shown only to those who signed in and are old enough": "這部影片只給已登入且達到年齡限制的人觀看",
    "there is no such video any more": "這部影片已經不存在",
    "this needs the extra [{extra}] ({modules}: not installed); install it with `{command}`": (
        "這需要額外套件 [{extra}]（{modules}：未安裝）；請執行 `{command}` 安裝"
    ),
    "use a proxy in a country where it is shown (HTTPS_PROXY)": "請使用可播放國家的代理伺服器（HTTPS_PROXY）",
    "wait an hour and try again, or use another network or proxy (HTTPS_PROXY); if that does not help, have the "
    "operator name a browser's cookies.txt as yt2pdf_cookies in config.yaml": (
        "請等一小時再試，或改用其他網路或代理伺服器（HTTPS_PROXY）；若仍不行，請操作者在 config.yaml 以 "
        "yt2pdf_cookies 指定瀏覽器的 cookies.txt"
    ),
    "{folder} is not set up; run `channels setup {channel}`": "{folder} 尚未設定；請執行 `channels setup {channel}`",
    "{path} cannot be read ({error}); name a text file in UTF-8": "無法讀取 {path}（{error}）；請指定 UTF-8 文字檔",
    "{path} is empty, or too large for a summary": "{path} 是空的，或對摘要來說太大",
    "{text!r} is not a link to a YouTube video; write it as https://youtu.be/ID": (
        "{text!r} 不是 YouTube 影片的連結；請寫成 https://youtu.be/ID"
    ),
}
