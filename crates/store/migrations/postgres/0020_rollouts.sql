-- Where a rolling upgrade is, beside its task.
CREATE TABLE rollouts (
    task_id BIGINT PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    -- JSON
    state TEXT COLLATE "C" NOT NULL,
    -- what a person said to a paused one, until it is taken up
    decision TEXT COLLATE "C",
    decided_by TEXT COLLATE "C"
);
