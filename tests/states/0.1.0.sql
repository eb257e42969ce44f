BEGIN TRANSACTION;
CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, subject TEXT, detail TEXT);
INSERT INTO "audit" VALUES(1,1.7959369289336159229e+09,'allow','5000001','test');
INSERT INTO "audit" VALUES(2,1.79593693742451119424e+09,'approver add','5000001',NULL);
INSERT INTO "audit" VALUES(3,1.79593693935253214833e+09,'group add','-1000004000001',NULL);
CREATE TABLE chats (
        chat_id TEXT PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT, title TEXT, present INTEGER NOT NULL DEFAULT 1,
        seen_at REAL NOT NULL
    , parent_id TEXT);
INSERT INTO "chats" VALUES('-1000004000001','group',NULL,'Release team',1,1.79593694023615956306e+09,NULL);
INSERT INTO "chats" VALUES('5000001','direct','5000001',NULL,1,1.79593694027211785322e+09,NULL);
INSERT INTO "chats" VALUES('5000002','direct','5000002',NULL,1,1.79593694003274941439e+09,NULL);
CREATE TABLE cursors (bot_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (bot_id, name));
CREATE TABLE groups (
        chat_id TEXT PRIMARY KEY, require_mention INTEGER NOT NULL DEFAULT 1, senders TEXT, added_at REAL NOT NULL
    , patterns TEXT NOT NULL DEFAULT '[]');
INSERT INTO "groups" VALUES('-1000004000001',1,NULL,1.79593693935233068466e+09,'["agent"]');
CREATE TABLE health (key TEXT PRIMARY KEY, value TEXT, at REAL NOT NULL);
INSERT INTO "health" VALUES('session','1795936938-16b55746',1.79593693899798059459e+09);
INSERT INTO "health" VALUES('host','pid 25965',1.79593693899803185463e+09);
INSERT INTO "health" VALUES('bot_id','7123456789',1.79593693903670406338e+09);
INSERT INTO "health" VALUES('bot_username','sandbox_bot',1.79593693903679895405e+09);
INSERT INTO "health" VALUES('reader','reading',1.79593693906446957592e+09);
INSERT INTO "health" VALUES('error','',1.79593693906456065173e+09);
INSERT INTO "health" VALUES('last_poll_ok','1795936939.0644057',1.79593693906459164616e+09);
CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL, message_id TEXT NOT NULL, kind TEXT NOT NULL,
        own INTEGER NOT NULL, user TEXT NOT NULL, user_id TEXT NOT NULL, text TEXT NOT NULL, sought TEXT NOT NULL,
        at REAL NOT NULL, reply_to TEXT, reply_user TEXT, reply_text TEXT, thread_id TEXT, thread_name TEXT,
        files TEXT NOT NULL DEFAULT '[]', forward_from TEXT, edited INTEGER NOT NULL DEFAULT 0,
        indexed INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "history" VALUES(1,'5000001','1','message',0,'ann','5000001','first question','first question
ann',1795936939.0,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(2,'5000001','2','message',1,'sandbox_bot','','Pick one','pick one
sandbox_bot',1.79593693991463017461e+09,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(3,'5000001','2','tap',0,'ann','5000001','Yes','yes
ann',1.79593693992694211007e+09,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(4,'5000001','3','message',1,'sandbox_bot','','Noted','noted
sandbox_bot',1.79593694001187133791e+09,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(5,'5000001','4','message',1,'sandbox_bot','','Deploy 4.2?','deploy 4.2?
sandbox_bot',1.79593694002806162834e+09,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(6,'-1000004000001','4','message',0,'ann','5000001','agent, look','agent, look
ann',1795936940.0,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(7,'5000001','7','message',0,'ann','5000001','shown and never answered','shown and never answered
ann',1795936940.0,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "history" VALUES(8,'5000001','8','message',1,'sandbox_bot','','Sure?','sure?
sandbox_bot',1.79593694029238772394e+09,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bot_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        delivery_id TEXT NOT NULL UNIQUE,
        payload TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'raw',
        received_at REAL NOT NULL,
        chat_id TEXT, thread_id TEXT, message_id TEXT, user_id TEXT,
        content TEXT, meta TEXT, image TEXT, attachments TEXT,
        offers INTEGER NOT NULL DEFAULT 0,
        offered_at REAL, answered_at REAL, session TEXT, said_at REAL, told INTEGER NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0, mark TEXT, mode TEXT, rung TEXT, prompt_id TEXT, joined TEXT, joined_to INTEGER, join_until REAL,
        UNIQUE (bot_id, event_id)
    );
INSERT INTO "inbox" VALUES(1,'7123456789','860000001','7123456789.860000001','','dropped',1.7959369390646276474e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(2,'7123456789','860000002','7123456789.860000002','','dropped',1.7959369390646276474e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(3,'7123456789','860000003','7123456789.860000003','{"update_id": 860000003, "message": {"message_id": 1, "from": {"id": 5000001, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "en"}, "chat": {"id": 5000001, "type": "private", "first_name": "Ann", "username": "ann"}, "date": 1795936939, "text": "first question"}}','answered',1.79593693986533284182e+09,'5000001',NULL,'1','5000001','first question','{"chat_id": "5000001", "message_id": "1", "user": "ann", "user_id": "5000001", "ts": "2026-11-29T07:22:19Z"}','[]','[]',1,1.7959369398666174412e+09,1.79593693991510534283e+09,'1795936938-16b55746',1795936939.0,0,0,NULL,'push',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(4,'7123456789','860000004','7123456789.860000004','{"update_id": 860000004, "callback_query": {"id": "1819295856198474570", "from": {"id": 5000001, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "en"}, "message": {"message_id": 2, "from": {"id": 7123456789, "is_bot": true, "first_name": "Sandbox", "username": "sandbox_bot"}, "chat": {"id": 5000001, "type": "private", "first_name": "Ann", "username": "ann"}, "date": 1795936939, "text": "Pick one", "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": "nWaJtipvcrMYdbT7LCJzrw.0"}, {"text": "No", "callback_data": "nWaJtipvcrMYdbT7LCJzrw.1"}], [{"text": "Later", "callback_data": "nWaJtipvcrMYdbT7LCJzrw.2"}]]}}, "chat_instance": "39595007919", "data": "nWaJtipvcrMYdbT7LCJzrw.0"}}','answered',1.79593693992694234846e+09,'5000001',NULL,'2','5000001','Yes','{"chat_id": "5000001", "message_id": "2", "user": "ann", "user_id": "5000001", "ts": "2026-11-29T07:22:19.926942Z", "button": "true", "button_label": "Yes", "button_value": "Yes", "button_row": "0", "button_col": "0", "panel_id": "nWaJtipvcrMYdbT7LCJzrw"}','[]','[]',1,1.79593693992830467226e+09,1.79593694001200675962e+09,'1795936938-16b55746',1.79593693992694211007e+09,0,0,NULL,'push',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(5,'7123456789','860000005','7123456789.860000005','{"update_id": 860000005, "message": {"message_id": 5, "from": {"id": 5000002, "is_bot": false, "first_name": "Bob", "username": "bob", "language_code": "en"}, "chat": {"id": 5000002, "type": "private", "first_name": "Bob", "username": "bob"}, "date": 1795936940, "text": "may I come in?"}}','held',1795936940.03256,'5000002',NULL,'5','5000002','may I come in?','{"chat_id": "5000002", "message_id": "5", "user": "bob", "user_id": "5000002", "ts": "2026-11-29T07:22:20Z"}','[]','[]',0,NULL,NULL,NULL,1795936940.0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(6,'7123456789','860000006','7123456789.860000006','','dropped',1.79593694017284941674e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(7,'7123456789','860000007','7123456789.860000007','{"update_id": 860000007, "message": {"message_id": 4, "from": {"id": 5000001, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "en"}, "chat": {"id": -1000004000001, "type": "supergroup", "title": "Release team"}, "date": 1795936940, "text": "agent, look"}}','offered',1.79593694017284941674e+09,'-1000004000001',NULL,'4','5000001','agent, look','{"chat_id": "-1000004000001", "message_id": "4", "user": "ann", "user_id": "5000001", "ts": "2026-11-29T07:22:20Z", "context": "[{\"addressed\": false, \"message_id\": \"3\", \"user\": \"bob\", \"user_id\": \"5000002\", \"ts\": \"2026-11-29T07:22:20Z\", \"text\": \"just talking\"}]"}','[]','[]',1,1.79593694023653101914e+09,NULL,'1795936938-16b55746',1795936940.0,0,0,NULL,'push',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "inbox" VALUES(8,'7123456789','860000008','7123456789.860000008','{"update_id": 860000008, "message": {"message_id": 7, "from": {"id": 5000001, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "en"}, "chat": {"id": 5000001, "type": "private", "first_name": "Ann", "username": "ann"}, "date": 1795936940, "text": "shown and never answered"}}','answered',1.79593694027188420297e+09,'5000001',NULL,'7','5000001','shown and never answered','{"chat_id": "5000001", "message_id": "7", "user": "ann", "user_id": "5000001", "ts": "2026-11-29T07:22:20Z"}','[]','[]',1,1.79593694027259826655e+09,1.79593694029254674908e+09,'1795936938-16b55746',1795936940.0,0,0,NULL,'push',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE invites (
        code_hash BLOB PRIMARY KEY, created_at REAL NOT NULL, expires_at REAL NOT NULL, used_at REAL, used_by TEXT
    );
CREATE TABLE notices (
        id INTEGER PRIMARY KEY, chat_id TEXT NOT NULL, text TEXT NOT NULL, created_at REAL NOT NULL, claimed_at REAL
    , thread_id TEXT);
CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, key TEXT, digest TEXT NOT NULL, chat_id TEXT NOT NULL, created_at REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'sending', result TEXT
    );
INSERT INTO "outbox" VALUES(1,'k1','5175c1d37547722cb3716050c46a54c126137a3aa09d87bebc21b9a80c846f2e','5000001',1.79593693987440228458e+09,'done','sent (id: 2)');
INSERT INTO "outbox" VALUES(2,'auto-10bde0b0c592221e','ad352f41179d49402a8d10bb8604df56b80fb24be1936aca35aa3cc4cc4c777d','5000001',1.79593693995497775072e+09,'done','sent (id: 3)');
INSERT INTO "outbox" VALUES(3,'auto-ccfdf6ee9a2397c9','5fe886ef32a2c7ac6d0b9e70b5b0eaf3ef0edab327ae83d26762f2f49ef4ba38','5000001',1.7959369400168585777e+09,'done','sent (id: 4)');
INSERT INTO "outbox" VALUES(4,'auto-78942a0f4e5e8b1d','cff4ff730c72be18745b3fdabf34780d6396f49b608b299a8a558f2fb237cdab','5000001',1.79593694027752017981e+09,'done','sent (id: 8)');
CREATE TABLE outbox_parts (
        outbox_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE, part INTEGER NOT NULL,
        state TEXT NOT NULL, message_id TEXT, error TEXT, at REAL NOT NULL, PRIMARY KEY (outbox_id, part)
    );
INSERT INTO "outbox_parts" VALUES(1,0,'sent','2','',1.79593693991454362874e+09);
INSERT INTO "outbox_parts" VALUES(2,0,'sent','3','',1.79593694001179313658e+09);
INSERT INTO "outbox_parts" VALUES(3,0,'sent','4','',1.79593694002799367909e+09);
INSERT INTO "outbox_parts" VALUES(4,0,'sent','8','',1.79593694029231286043e+09);
CREATE TABLE overheard (
        id INTEGER PRIMARY KEY, chat_id TEXT NOT NULL, thread_id TEXT, message_id TEXT NOT NULL, user TEXT NOT NULL,
        user_id TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL
    );
CREATE TABLE pairings (
        id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, chat_id TEXT NOT NULL, name TEXT NOT NULL, username TEXT,
        salt BLOB NOT NULL, code_hash BLOB NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        ended INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "pairings" VALUES(1,'5000002','5000002','Bob','bob',X'B9178AAEABDA11074B254ACF4F9E6253',X'77A361D7AB568EC280732FCE77CDE4C94C55ABEFC1037CAE761058E7BCEEDB6E',1.79593694003310108187e+09,1.79594054003310108187e+09,0);
CREATE TABLE panels (
        id TEXT PRIMARY KEY, chat_id TEXT NOT NULL, thread_id TEXT, message_id TEXT, grid TEXT NOT NULL, tappers TEXT,
        single_use INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL DEFAULT 'open',
        created_at REAL NOT NULL, expires_at REAL NOT NULL, snapshot TEXT,
        outcome TEXT, outcome_due INTEGER NOT NULL DEFAULT 0
    , prompt_id TEXT, sentence TEXT);
INSERT INTO "panels" VALUES('nWaJtipvcrMYdbT7LCJzrw','5000001',NULL,'2','[[["Yes", null, null, null, false], ["No", null, null, null, false]], [["Later", null, null, null, false]]]',NULL,1,'answered',1.79593693987459421161e+09,1.79654173987459421157e+09,'{"text": "Pick one"}','Yes',0,NULL,NULL);
INSERT INTO "panels" VALUES('CNJTvuWPMiVexZosA9bsAQ','5000001',NULL,'4','[[["Approve", null, null, null, false], ["Reject", null, null, null, false]]]',NULL,1,'open',1.79593694001694846153e+09,1.79654174001694846157e+09,'{"text": "Deploy 4.2?"}',NULL,0,NULL,NULL);
INSERT INTO "panels" VALUES('wBJwGclrmcxHZuts5G73rQ','5000001',NULL,'8','[[["Sure", null, null, null, false]]]',NULL,1,'closed',1.79593694027758097641e+09,1.79654174027758097649e+09,'{"text": "Sure?"}','',1,'i4ryFCo6q6CK6cLT','⌛ Closed: the question was withdrawn.');
CREATE TABLE people (
        user_id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', username TEXT,
        added_at REAL NOT NULL, added_by TEXT NOT NULL
    , approver INTEGER NOT NULL DEFAULT 0);
INSERT INTO "people" VALUES('5000001','ann',NULL,1.79593692893357276913e+09,'test',1);
CREATE TABLE presses (
        id INTEGER PRIMARY KEY, panel_id TEXT NOT NULL REFERENCES panels (id) ON DELETE CASCADE,
        position INTEGER NOT NULL, user_id TEXT NOT NULL, user TEXT NOT NULL, at REAL NOT NULL
    );
INSERT INTO "presses" VALUES(1,'nWaJtipvcrMYdbT7LCJzrw',0,'5000001','ann',1.79593693992757654194e+09);
CREATE TABLE prompts (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, request_id TEXT, session TEXT NOT NULL DEFAULT '', spec TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'open', sent INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL,
        expires_at REAL NOT NULL, lease_until REAL NOT NULL, chosen TEXT NOT NULL DEFAULT '[]', result TEXT,
        typing_by TEXT
    );
INSERT INTO "prompts" VALUES('i4ryFCo6q6CK6cLT','ask','pbwgx','1795936938-16b55746','[[[["Sure", null, null, null]]], "", "", "", false, false]','closed',0,1.79593694027691841126e+09,1.79593754027691841126e+09,1.79593695529305219646e+09,'[]',NULL,NULL);
CREATE TABLE sessions (
        id TEXT PRIMARY KEY, started_at REAL NOT NULL, client TEXT NOT NULL DEFAULT '', mode TEXT NOT NULL DEFAULT '',
        why TEXT NOT NULL DEFAULT '', proven TEXT NOT NULL DEFAULT '', hooks TEXT NOT NULL DEFAULT '{}',
        pulled_at REAL, loops INTEGER NOT NULL DEFAULT 0, loops_at REAL, ended_at REAL
    );
INSERT INTO "sessions" VALUES('1795936938-16b55746',1.79593693893916893011e+09,'claude-code 2.1.328','push','nothing shows how this host takes messages, so they are pushed, and the agent has answered that way','push','{}',NULL,0,NULL,NULL);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "settings" VALUES('version','0.1.0');
INSERT INTO "settings" VALUES('menu:7123456789','7a2f650b4f282707954c6456c9bec3a44b6a5dd36705ccad5322e7a83bc8c89b');
CREATE TABLE threads (
        chat_id TEXT NOT NULL, thread_id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (chat_id, thread_id)
    );
CREATE INDEX inbox_message ON inbox (chat_id, message_id);
CREATE INDEX panels_open ON panels (chat_id, created_at) WHERE state = 'open';
CREATE INDEX panels_message ON panels (chat_id, message_id);
CREATE INDEX panels_due ON panels (outcome_due) WHERE outcome_due = 1;
CREATE UNIQUE INDEX outbox_key ON outbox (key) WHERE key IS NOT NULL;
CREATE INDEX inbox_mark ON inbox (chat_id) WHERE mark IS NOT NULL;
CREATE INDEX inbox_ended ON inbox (id) WHERE state IN ('answered', 'dropped');
CREATE INDEX prompts_open ON prompts (expires_at) WHERE state = 'open';
CREATE INDEX panels_prompt ON panels (prompt_id) WHERE prompt_id IS NOT NULL;
CREATE INDEX history_chat ON history (chat_id);
CREATE INDEX history_message ON history (chat_id, message_id);
CREATE INDEX history_at ON history (at);
CREATE INDEX history_new ON history (id) WHERE indexed = 0;
CREATE INDEX overheard_chat ON overheard (chat_id, id);
CREATE INDEX inbox_state ON inbox (state);
CREATE INDEX inbox_chat_open ON inbox (chat_id) WHERE state IN
        ('raw', 'joining', 'fetching', 'ready', 'offering', 'offered', 'asked');
CREATE INDEX presses_panel ON presses (panel_id);
CREATE INDEX chats_user ON chats (user_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('inbox',8);
INSERT INTO "sqlite_sequence" VALUES('history',8);
COMMIT;
PRAGMA user_version = 9;
