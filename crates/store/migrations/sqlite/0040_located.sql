-- How the nodes of a snapshot came to their places on the map; by value, as snapshots may move to other tables.
CREATE TABLE located (
    crawl_id INTEGER PRIMARY KEY,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    host INTEGER NOT NULL,
    overrides INTEGER NOT NULL,
    own_database INTEGER NOT NULL,
    dbip INTEGER NOT NULL,
    unlocated INTEGER NOT NULL
) STRICT;
CREATE INDEX located_pool ON located (pool_id);
