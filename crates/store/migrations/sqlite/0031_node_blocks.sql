-- Nodes of snapshots move from rows into blocks, in tables per pool and month that are made when they are
-- needed (crates/store/src/months.rs). The rows of before are moved when the database is opened.
ALTER TABLE nodes RENAME TO nodes_0001;

CREATE TABLE snapshots_to_move (
    -- 0: the table of the rows, to be dropped last
    snapshot_id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO snapshots_to_move SELECT id FROM snapshots;
INSERT INTO snapshots_to_move VALUES (0);

-- it was taken into account by known_nodes
ALTER TABLE snapshots ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;

CREATE TABLE detail_months (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    -- 202611
    month INTEGER NOT NULL,
    PRIMARY KEY (pool_id, month)
) STRICT;

CREATE TABLE known_nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    -- while it is there: of the session before
    last_seen INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    -- of the session that goes on; NULL: it is not there
    began INTEGER,
    before_at INTEGER,
    silent_since INTEGER,
    UNIQUE (pool_id, address)
) STRICT;
CREATE INDEX known_nodes_there ON known_nodes (pool_id) WHERE began IS NOT NULL;
