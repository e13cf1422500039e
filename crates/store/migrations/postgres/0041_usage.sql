-- What hosts used: the newest look of each hour per host for some weeks, and sums per pool and hour for ever.
CREATE TABLE host_usage (
    host_id BIGINT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    -- hours since 1970
    hour BIGINT NOT NULL,
    pool_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    node_memory BIGINT,
    node_cpu DOUBLE PRECISION,
    memory_used DOUBLE PRECISION,
    host_load DOUBLE PRECISION,
    disk_free BIGINT,
    PRIMARY KEY (host_id, hour)
);
CREATE INDEX host_usage_hour ON host_usage (hour);

CREATE TABLE pool_usage (
    pool_id BIGINT NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    hour BIGINT NOT NULL,
    metric TEXT COLLATE "C" NOT NULL,
    samples BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    least DOUBLE PRECISION NOT NULL,
    greatest DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (pool_id, metric, hour)
);
