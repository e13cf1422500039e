-- What hosts used: the newest look of each hour per host for some weeks, and sums per pool and hour for ever.
CREATE TABLE host_usage (
    host_id INTEGER NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    -- hours since 1970
    hour INTEGER NOT NULL,
    pool_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    node_memory INTEGER,
    node_cpu REAL,
    memory_used REAL,
    host_load REAL,
    disk_free INTEGER,
    PRIMARY KEY (host_id, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX host_usage_hour ON host_usage (hour);

CREATE TABLE pool_usage (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    metric TEXT NOT NULL,
    samples INTEGER NOT NULL,
    total REAL NOT NULL,
    least REAL NOT NULL,
    greatest REAL NOT NULL,
    PRIMARY KEY (pool_id, metric, hour)
) STRICT, WITHOUT ROWID;
