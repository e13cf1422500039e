-- Where a rolling upgrade is, beside its task.
CREATE TABLE rollouts (
    task_id INTEGER PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    -- JSON
    state TEXT NOT NULL,
    -- what a person said to a paused one, until it is taken up
    decision TEXT,
    decided_by TEXT
) STRICT;
