-- Times are milliseconds since the Unix epoch.
CREATE TABLE queues (
    name       TEXT PRIMARY KEY,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    purged     INTEGER,
    attributes TEXT NOT NULL -- JSON object of the settable attributes, defaults included
);

CREATE TABLE messages (
    position       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: a stale receipt handle cannot meet another message
    queue          TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
    id             TEXT NOT NULL,
    body           TEXT NOT NULL,
    attributes     TEXT NOT NULL, -- JSON object of message attributes
    trace          TEXT,          -- system attribute AWSTraceHeader
    group_id       TEXT,
    dedup_id       TEXT,
    sent           INTEGER NOT NULL,
    retained       INTEGER NOT NULL, -- when the retention period began
    visible        INTEGER NOT NULL, -- when it may be received (again)
    receives       INTEGER NOT NULL DEFAULT 0, -- in all queues
    receives_here  INTEGER NOT NULL DEFAULT 0, -- in this queue, for its redrive policy
    first_received INTEGER,
    receipt        TEXT, -- handle of the last receive in this queue
    source_arn     TEXT  -- queue that gave it up, while it is in a dead-letter queue
);
CREATE INDEX messages_by_visibility ON messages (queue, visible);
-- For FIFO queues: their order, and what holds a group back.
CREATE INDEX messages_in_order ON messages (queue, position) WHERE group_id IS NOT NULL;
CREATE INDEX messages_by_group ON messages (queue, group_id, visible) WHERE group_id IS NOT NULL;
CREATE INDEX messages_by_age ON messages (queue, retained);

-- What a FIFO queue accepted lately, so that it is not accepted twice.
CREATE TABLE deduplications (
    queue    TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
    scope    TEXT NOT NULL, -- message group, or empty for the whole queue
    dedup_id TEXT NOT NULL,
    id       TEXT NOT NULL,
    position INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, dedup_id)
);

CREATE TABLE moves (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    handle      TEXT NOT NULL UNIQUE,
    source      TEXT NOT NULL,
    destination TEXT,    -- NULL: each message goes back to the queue that gave it up
    rate        INTEGER, -- messages per second, NULL for as fast as it goes
    status      TEXT NOT NULL,
    failure     TEXT,
    started     INTEGER NOT NULL,
    to_move     INTEGER NOT NULL,
    moved       INTEGER NOT NULL DEFAULT 0
);
