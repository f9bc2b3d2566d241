-- One row per run: what a list of runs shows, kept up in the transaction that appends the events.
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

-- key = ordinal of the run << 32 | seq: the events of a run are neighbours, and appending touches one tree only.
CREATE TABLE events (
    key    INTEGER PRIMARY KEY,
    record TEXT NOT NULL,                -- canonical JSON
    hash   BLOB NOT NULL,                -- SHA-256 over the previous hash and the record
    run    INTEGER GENERATED ALWAYS AS (key >> 32) VIRTUAL,
    seq    INTEGER GENERATED ALWAYS AS (key & 4294967295) VIRTUAL
) STRICT;

-- The runs' heads, chained: what was created and how it ended, so that a deleted run shows.
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

-- What other commands leave for a run. Ids are never used twice.
CREATE TABLE inbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL,
    message TEXT NOT NULL,               -- JSON
    wall_ms INTEGER NOT NULL,
    seq     INTEGER,                     -- the event that it became
    refusal TEXT                         -- or why it did not
) STRICT;
CREATE INDEX inbox_open ON inbox (run, id) WHERE seq IS NULL AND refusal IS NULL;

-- Named locks across runs, and who waits for one.
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
