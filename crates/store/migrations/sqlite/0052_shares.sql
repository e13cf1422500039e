-- Links to chosen views of one pool that need no account.
CREATE TABLE shares (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- JSON: what it shows and what not
    settings TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    opened INTEGER NOT NULL,
    last_opened INTEGER
) STRICT;
CREATE INDEX shares_pool ON shares (pool_id);
