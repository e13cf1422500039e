-- Who was given what on a pool of somebody else.
CREATE TABLE grants (
    pool_id BIGINT NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    granted TEXT COLLATE "C" NOT NULL,
    given_by TEXT COLLATE "C" NOT NULL,
    given BIGINT NOT NULL,
    PRIMARY KEY (pool_id, user_id)
);
CREATE INDEX grants_user ON grants (user_id);

-- JSON list of pool ids that a token is limited to; NULL: not limited. Ids of deleted pools are never used again.
ALTER TABLE tokens ADD COLUMN pools TEXT COLLATE "C";
