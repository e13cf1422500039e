-- How a table of a pool is shown: set by those who manage the pool, and by each person for themselves. JSON.
CREATE TABLE pool_views (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    view TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (pool_id, view)
) STRICT;

CREATE TABLE user_views (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    view TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (user_id, pool_id, view)
) STRICT;
CREATE INDEX user_views_pool ON user_views (pool_id);
