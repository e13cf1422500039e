-- Several managers on one database: who is there, what they tell each other's viewers, whose machine a
-- pool's local node is on, and files that every manager must be able to read.

CREATE TABLE managers (
    -- as in tasks.owner
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    address TEXT,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

-- Only the newest are kept; used where several managers share the database.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    pool TEXT,
    -- JSON
    change TEXT NOT NULL
) STRICT;

CREATE TABLE local_nodes (
    pool_id INTEGER PRIMARY KEY REFERENCES pools (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    -- the address that hosts reach it at: that of its owner's machine
    address TEXT NOT NULL
) STRICT;

CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL
) STRICT;

CREATE TABLE file_parts (
    path TEXT NOT NULL REFERENCES files (path) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (path, number)
) STRICT;

-- the tasks that did hosts of a task again
CREATE INDEX tasks_retry ON tasks (retry_of) WHERE retry_of IS NOT NULL;
