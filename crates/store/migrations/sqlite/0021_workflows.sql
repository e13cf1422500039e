CREATE TABLE workflows (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    -- rises with every change
    version INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT;

-- Runs outlive their workflow and their pool: they are history, so they refer to both by value.
CREATE TABLE workflow_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- as it was when the run began
    text TEXT NOT NULL,
    pool_id INTEGER NOT NULL,
    pool_name TEXT NOT NULL,
    started_by TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- JSON
    progress TEXT NOT NULL,
    -- JSON: what a person answered to a step, until it is taken up
    answer TEXT,
    cancelled_by TEXT,
    -- the manager that runs it, until when it may, and a number that rises with every claim by another one
    owner TEXT,
    lease_until INTEGER,
    fence INTEGER NOT NULL
) STRICT;
CREATE INDEX workflow_runs_pool ON workflow_runs (pool_id, id);
CREATE INDEX workflow_runs_open ON workflow_runs (id) WHERE state = 'running';
