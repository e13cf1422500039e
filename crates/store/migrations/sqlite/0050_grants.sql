-- Who was given what on a pool of somebody else.
CREATE TABLE grants (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    granted TEXT NOT NULL,
    given_by TEXT NOT NULL,
    given INTEGER NOT NULL,
    PRIMARY KEY (pool_id, user_id)
) STRICT;
CREATE INDEX grants_user ON grants (user_id);

-- JSON list of pool ids that a token is limited to; NULL: not limited. Ids of deleted pools are never used again.
ALTER TABLE tokens ADD COLUMN pools TEXT;
