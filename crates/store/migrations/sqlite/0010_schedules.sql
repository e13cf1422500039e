-- Schedules in full: any number per pool, time zone, jitter, policies, once or again and again, and
-- what became of each time. Made anew, because SQLite can't drop the constraint "one per action".

CREATE TABLE schedules_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    -- either an action with its settings (JSON), or a workflow
    action TEXT,
    params TEXT NOT NULL,
    workflow TEXT,
    -- either a cron expression, or one time
    cron TEXT,
    at INTEGER,
    time_zone TEXT NOT NULL,
    jitter_s INTEGER NOT NULL,
    catch_up TEXT NOT NULL,
    overlap TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    -- the time that comes next, and when it is done: its share of the jitter later
    next_at INTEGER,
    due_at INTEGER
) STRICT;

INSERT INTO schedules_new (id, pool_id, action, params, cron, time_zone, jitter_s, catch_up, overlap, enabled, next_at, due_at)
SELECT id, pool_id, action, 'null', cron, 'UTC', 0, 'run_once', 'skip', enabled, next_at, next_at FROM schedules;

DROP TABLE schedules;
ALTER TABLE schedules_new RENAME TO schedules;
CREATE INDEX schedules_due ON schedules (due_at) WHERE enabled;
CREATE INDEX schedules_pool ON schedules (pool_id, id);

CREATE TABLE schedule_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule_id INTEGER NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    due_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    -- tasks are deleted when they are old: no reference
    task_id INTEGER,
    workflow_run INTEGER,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX schedule_runs_schedule ON schedule_runs (schedule_id, id);
CREATE INDEX schedule_runs_pending ON schedule_runs (at) WHERE outcome = 'pending';
