-- How the nodes of a snapshot came to their places on the map; by value, as snapshots may move to other tables.
CREATE TABLE located (
    crawl_id BIGINT PRIMARY KEY,
    pool_id BIGINT NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    host BIGINT NOT NULL,
    overrides BIGINT NOT NULL,
    own_database BIGINT NOT NULL,
    dbip BIGINT NOT NULL,
    unlocated BIGINT NOT NULL
);
CREATE INDEX located_pool ON located (pool_id);
