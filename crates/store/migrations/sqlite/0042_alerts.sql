-- Alerts: rules, what they found, where messages go, and the messages that are on their way.
CREATE TABLE alert_targets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- who made it; only they and administrators may use it
    owner INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    -- JSON; its secret is in `secrets`
    settings TEXT NOT NULL,
    -- JSON
    quiet TEXT,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE alert_rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- JSON
    condition TEXT NOT NULL,
    -- JSON: ids
    targets TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX alert_rules_pool ON alert_rules (pool_id);

-- Rules go, what they found stays: no reference.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id INTEGER NOT NULL,
    rule_name TEXT NOT NULL,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    opened INTEGER,
    recovered INTEGER,
    acknowledged_by TEXT,
    acknowledged INTEGER,
    comment TEXT
) STRICT;
CREATE INDEX alerts_pool ON alerts (pool_id, id);
-- several managers that look at the same time make one alert
CREATE UNIQUE INDEX alerts_alive ON alerts (rule_id, subject) WHERE state <> 'recovered';

-- The outbox: written together with the alerts it tells of.
CREATE TABLE alert_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target_id INTEGER NOT NULL REFERENCES alert_targets (id) ON DELETE CASCADE,
    -- JSON
    message TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- NULL: delivered, or given up
    next_at INTEGER,
    attempts INTEGER NOT NULL,
    owner TEXT,
    lease_until INTEGER,
    delivered INTEGER,
    error TEXT
) STRICT;
CREATE INDEX alert_messages_due ON alert_messages (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX alert_messages_target ON alert_messages (target_id, id);

-- What only one manager does at a time.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT;
