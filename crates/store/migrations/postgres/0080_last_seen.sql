-- When a person was last there, by session or token: those go, this stays.
ALTER TABLE users ADD COLUMN last_seen BIGINT;
UPDATE users SET last_seen = (SELECT MAX(s.last_seen) FROM sessions s WHERE s.user_id = users.id);
UPDATE users SET last_seen = (SELECT MAX(t.last_used) FROM tokens t WHERE t.user_id = users.id)
WHERE EXISTS (
    SELECT 1 FROM tokens t WHERE t.user_id = users.id AND t.last_used > COALESCE(users.last_seen, 0)
);
