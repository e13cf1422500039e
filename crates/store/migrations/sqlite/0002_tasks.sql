-- Tasks outlive their pool: they are its history, so they refer to it by value only.

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL,
    pool_name TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    started_by TEXT NOT NULL,
    -- equal requests have equal texts
    asked TEXT NOT NULL,
    -- JSON
    params TEXT NOT NULL,
    -- JSON
    result TEXT,
    message TEXT NOT NULL,
    waits_for INTEGER,
    end_request TEXT,
    retry_of INTEGER,
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    -- JSON: hosts by outcome, written together with the hosts
    counts TEXT NOT NULL,
    -- the manager that runs it, until when it may, and a number that rises with every claim
    owner TEXT,
    lease_until INTEGER,
    fence INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_pool ON tasks (pool_id, id);
CREATE INDEX tasks_open ON tasks (pool_id, id) WHERE state IN ('queued', 'running');

CREATE TABLE task_hosts (
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    host_id INTEGER NOT NULL,
    address TEXT NOT NULL,
    outcome TEXT NOT NULL,
    step TEXT,
    cause TEXT,
    message TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    duration_ms INTEGER,
    at INTEGER,
    PRIMARY KEY (task_id, host_id)
) STRICT, WITHOUT ROWID;

-- The end of what a host printed, apart from task_hosts because it is large and rarely read.
CREATE TABLE task_outputs (
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    host_id INTEGER NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (task_id, host_id)
) STRICT;

-- The journal: every step that changes something on a host, before and after.
CREATE TABLE task_steps (
    task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    host_id INTEGER NOT NULL,
    -- which claim of the task, and which step of that claim
    fence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    step TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- `changed`, `unchanged` or a cause; NULL while it is not known
    result TEXT,
    PRIMARY KEY (task_id, host_id, fence, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    action TEXT NOT NULL,
    cron TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    last_at INTEGER,
    last_task INTEGER,
    UNIQUE (pool_id, action)
) STRICT;
CREATE INDEX schedules_next ON schedules (next_at) WHERE enabled;
