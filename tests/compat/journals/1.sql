-- A journal of format 1, as `sqlite3 journal.db .dump` would write it: a finished run, an interrupted one that holds a lock,
-- and a message in its inbox.
PRAGMA application_id = 1380860491;
PRAGMA user_version = 1;
CREATE TABLE runs (
    ordinal     INTEGER PRIMARY KEY,     -- in order of creation
    id          TEXT NOT NULL UNIQUE,
    runbook     TEXT NOT NULL,
    file        TEXT NOT NULL,
    plan        TEXT NOT NULL,           -- digest
    environment TEXT,
    requester   TEXT NOT NULL,
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,        -- of the executor that may append
    last_seq    INTEGER NOT NULL,
    head        BLOB NOT NULL,           -- hash of the last event
    state       TEXT NOT NULL,           -- unfinished | stopped | finished
    reason      TEXT,                    -- of the stop
    forward     TEXT,
    rollback    TEXT,
    exit_code   INTEGER
) STRICT;
CREATE INDEX runs_unfinished ON runs (ordinal) WHERE state <> 'finished';
CREATE INDEX runs_by_runbook ON runs (runbook, ordinal);
CREATE TABLE events (
    key    INTEGER PRIMARY KEY,
    record TEXT NOT NULL,                -- canonical JSON
    hash   BLOB NOT NULL,                -- SHA-256 over the previous hash and the record
    run    INTEGER GENERATED ALWAYS AS (key >> 32) VIRTUAL,
    seq    INTEGER GENERATED ALWAYS AS (key & 4294967295) VIRTUAL
) STRICT;
CREATE TABLE ledger (
    n    INTEGER PRIMARY KEY,
    run  TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    head BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE plans (
    digest   TEXT PRIMARY KEY,
    manifest BLOB NOT NULL               -- SHA-256 of a blob: JSON that names the outline and the files by their blobs
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    digest  BLOB PRIMARY KEY,            -- SHA-256 of the content
    content BLOB NOT NULL
) STRICT;
CREATE TABLE inbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL,
    message TEXT NOT NULL,               -- JSON
    wall_ms INTEGER NOT NULL,
    seq     INTEGER,                     -- the event that it became
    refusal TEXT                         -- or why it did not
) STRICT;
CREATE INDEX inbox_open ON inbox (run, id) WHERE seq IS NULL AND refusal IS NULL;
CREATE TABLE locks (
    name     TEXT PRIMARY KEY,
    run      INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX locks_by_run ON locks (run);
CREATE TABLE lock_waits (
    name TEXT NOT NULL,
    run  INTEGER NOT NULL,
    PRIMARY KEY (name, run)
) STRICT, WITHOUT ROWID;
INSERT INTO runs (ordinal, id, runbook, file, plan, environment, requester, created_ms, updated_ms, epoch, last_seq, head, state, reason, forward, rollback, exit_code) VALUES (1, 'k7f3q', 'blue_green', 'runbooks/blue_green.yaml', '9f2c0a61d7', 'production', 'ana', 1793900001000, 1793900003000, 1, 3, X'eba031300ba5f39a9ccfe5f4c4a877166d29dd645047e0c141a0370fd590767a', 'finished', NULL, 'succeeded', 'none', 0);
INSERT INTO runs (ordinal, id, runbook, file, plan, environment, requester, created_ms, updated_ms, epoch, last_seq, head, state, reason, forward, rollback, exit_code) VALUES (2, 'm2x9a', 'blue_green', 'runbooks/blue_green.yaml', '9f2c0a61d7', 'production', 'ana', 1793900001000, 1793900004000, 1, 4, X'bb38d79650bb5b914a2b81f8c490fe8b3b1ec4cd5bd1ca4e627a690b777fb9f5', 'unfinished', NULL, NULL, NULL, NULL);
INSERT INTO events (key, record, hash) VALUES (4294967297, '{"seq":1,"wall_ms":1793900001000,"elapsed_ms":1000,"epoch":1,"type":"run_created","run":"k7f3q","runbook":"blue_green","file":"runbooks/blue_green.yaml","plan":"9f2c0a61d7","environment":"production","inputs":{"version":"v1.4.2"},"requester":{"name":"ana"},"seed":42,"semantics":1,"version":"0.1.0","unattended":false}', X'802edddcfce15f96cd8d145abcab8db95b2b1f91df72e32fd8500ce600f6ea4d');
INSERT INTO events (key, record, hash) VALUES (4294967298, '{"seq":2,"wall_ms":1793900002000,"elapsed_ms":2000,"epoch":1,"type":"executor_started","pid":4711,"host":"deploy-1","resumed":false,"gap_ms":0}', X'6903ba6e802e95f7400ff3ffc2c217c933b8a54e6ec27be9e4a5fcc2fea05ddb');
INSERT INTO events (key, record, hash) VALUES (4294967299, '{"seq":3,"wall_ms":1793900003000,"elapsed_ms":3000,"epoch":1,"type":"finished","forward":"succeeded","rollback":"none","exit_code":0,"outputs":{"live":"green"}}', X'eba031300ba5f39a9ccfe5f4c4a877166d29dd645047e0c141a0370fd590767a');
INSERT INTO events (key, record, hash) VALUES (8589934593, '{"seq":1,"wall_ms":1793900001000,"elapsed_ms":1000,"epoch":1,"type":"run_created","run":"m2x9a","runbook":"blue_green","file":"runbooks/blue_green.yaml","plan":"9f2c0a61d7","environment":"production","inputs":{"version":"v1.4.2"},"requester":{"name":"ana"},"seed":42,"semantics":1,"version":"0.1.0","unattended":false}', X'11e7ff30dc627546fa845496a7ef281af1af48164c80052ff19e409f084a9521');
INSERT INTO events (key, record, hash) VALUES (8589934594, '{"seq":2,"wall_ms":1793900002000,"elapsed_ms":2000,"epoch":1,"type":"executor_started","pid":4712,"host":"deploy-1","resumed":false,"gap_ms":0}', X'c8023b443df3d46a8a7859a739e263681192bb0823b5683a1a3b4b8ad6137540');
INSERT INTO events (key, record, hash) VALUES (8589934595, '{"seq":3,"wall_ms":1793900003000,"elapsed_ms":3000,"epoch":1,"type":"lock_taken","name":"deploy/production/shop"}', X'9ba1c0bd141960463028ae33ae9ca39acc76aa4987f1841867b36b02481f1541');
INSERT INTO events (key, record, hash) VALUES (8589934596, '{"seq":4,"wall_ms":1793900004000,"elapsed_ms":4000,"epoch":1,"type":"started","task":{"frame":0,"node":3,"path":"switch"},"attempt":1,"incarnation":0,"params":{"colour":"green"},"prepared":{"was":"blue"},"key":"m2x9a/switch/0"}', X'bb38d79650bb5b914a2b81f8c490fe8b3b1ec4cd5bd1ca4e627a690b777fb9f5');
INSERT INTO ledger (n, run, seq, head, hash) VALUES (1, 'k7f3q', 1, X'802edddcfce15f96cd8d145abcab8db95b2b1f91df72e32fd8500ce600f6ea4d', X'335f5569b4b03187288ecdf7a054e4e5d20a78be5e6579b9902cc4fe25aebd45');
INSERT INTO ledger (n, run, seq, head, hash) VALUES (2, 'k7f3q', 3, X'eba031300ba5f39a9ccfe5f4c4a877166d29dd645047e0c141a0370fd590767a', X'3cb6bf8e58d5bc22e1c7a2beb4837ff7d9c53eb0d8f7296e1ebde781dbc81dca');
INSERT INTO ledger (n, run, seq, head, hash) VALUES (3, 'm2x9a', 1, X'11e7ff30dc627546fa845496a7ef281af1af48164c80052ff19e409f084a9521', X'b87b1c0d2c00798a8408a15a769f610a7e997bac97ce0db62d50789fd9fe1d92');
INSERT INTO plans (digest, manifest) VALUES ('9f2c0a61d7', X'0f3e71ac229177a471baa51a2558195db8b47e38ae9144bb7714f2affbfc532b');
INSERT INTO blobs (digest, content) VALUES (X'04bf99aaf2cb94331262425b327b619d6d743ef871bd8f8a04a9c5e1ab681225', X'7b226e616d65223a22626c75655f677265656e222c2273756d6d617279223a22222c226f776e6572223a6e756c6c2c22656e7472696573223a5b5d2c227374657073223a5b5d2c2266696e616c6c79223a5b5d2c22726f6c6c6261636b223a22222c226f757470757473223a7b7d7d');
INSERT INTO blobs (digest, content) VALUES (X'a653a3cdf95ed2ef68a777bbc9d8ba1f4c352366ad31de188fe12bf844da560f', X'6e616d653a20626c75655f677265656e0a');
INSERT INTO blobs (digest, content) VALUES (X'306c6ca7407560340797866e077e053627ad409277d1b9da58106fce4cf717cb', X'23212f62696e2f73680a6578697420300a');
INSERT INTO blobs (digest, content) VALUES (X'0f3e71ac229177a471baa51a2558195db8b47e38ae9144bb7714f2affbfc532b', X'7b226f75746c696e65223a2230346266393961616632636239343333313236323432356233323762363139643664373433656638373162643866386130346139633565316162363831323235222c2266696c6573223a5b7b226b696e64223a22736f75726365222c226e616d65223a22626c75655f677265656e2e79616d6c222c22636f6e74656e74223a2261363533613363646639356564326566363861373737626263396438626131663463333532333636616433316465313838666531326266383434646135363066227d2c7b226b696e64223a2270696e6e6564222c226e616d65223a22636865636b2e7368222c22636f6e74656e74223a2233303663366361373430373536303334303739373836366530373765303533363237616434303932373764316239646135383130366663653463663731376362227d5d7d');
INSERT INTO inbox (id, run, message, wall_ms, seq, refusal) VALUES (1, 2, '{"by":{"name":"ben"},"request":"cancel","reason":"wrong version"}', 1793900009000, NULL, NULL);
INSERT INTO locks (name, run, reason, since_ms) VALUES ('deploy/production/shop', 2, 'blue_green v1.4.2', 1793900002000);
