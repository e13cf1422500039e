-- How a table of a pool is shown: set by those who manage the pool, and by each person for themselves. JSON.
CREATE TABLE pool_views (
    pool_id BIGINT NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    view TEXT COLLATE "C" NOT NULL,
    settings TEXT COLLATE "C" NOT NULL,
    changed_by TEXT COLLATE "C" NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (pool_id, view)
);

CREATE TABLE user_views (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    pool_id BIGINT NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    view TEXT COLLATE "C" NOT NULL,
    settings TEXT COLLATE "C" NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (user_id, pool_id, view)
);
CREATE INDEX user_views_pool ON user_views (pool_id);
