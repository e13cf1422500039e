-- Everything but tasks and schedules. Times are milliseconds since 1970; JSON is text.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    -- lower case, so that `Anna` and `anna` are one person
    name_key TEXT NOT NULL UNIQUE,
    -- Argon2 text
    password TEXT,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    -- moves with every use
    idle_until INTEGER NOT NULL,
    -- never moves
    expires INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    -- its holder has at most this role
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    UNIQUE (user_id, name)
) STRICT;

CREATE TABLE secrets (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    ciphertext BLOB NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    -- JSON
    value TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE bundles (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    program TEXT NOT NULL,
    version TEXT,
    arch TEXT,
    -- JSON
    files TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE pools (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    -- JSON of what a person decided, without the network secret
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    bundle TEXT REFERENCES bundles (digest),
    package TEXT,
    owner INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX pools_bundle ON pools (bundle);
CREATE INDEX pools_owner ON pools (owner);

CREATE TABLE hosts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    -- with ssh_port what makes two hosts the same: the address in lower case
    address_key TEXT NOT NULL,
    ssh_port INTEGER NOT NULL,
    -- place in the host list
    line INTEGER NOT NULL,
    leaving INTEGER NOT NULL,
    -- as a person gave them
    address TEXT NOT NULL,
    port INTEGER,
    login TEXT,
    latitude REAL,
    longitude REAL,
    -- JSON
    labels TEXT NOT NULL,
    -- what a filter looks at, in lower case, and what makes `node2` come before `node10`
    search TEXT NOT NULL,
    address_order TEXT NOT NULL,
    -- what was learnt; NULL is not known
    reachable INTEGER,
    package TEXT,
    running INTEGER,
    node TEXT,
    node_memory INTEGER,
    node_cpu_s REAL,
    node_uptime_s INTEGER,
    memory_total INTEGER,
    memory_available INTEGER,
    host_load REAL,
    disk_free INTEGER,
    uptime_s INTEGER,
    arch TEXT,
    problem TEXT,
    known_at INTEGER,
    UNIQUE (pool_id, address_key, ssh_port)
) STRICT;

CREATE TABLE host_keys (
    address_key TEXT NOT NULL,
    ssh_port INTEGER NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (address_key, ssh_port)
) STRICT;

CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    task_id INTEGER,
    started INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    nodes INTEGER NOT NULL,
    answering INTEGER NOT NULL,
    unreachable INTEGER NOT NULL,
    consistency REAL,
    connections INTEGER NOT NULL,
    tcp INTEGER NOT NULL,
    udp INTEGER NOT NULL,
    relayed INTEGER NOT NULL,
    secure INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    nodes_joined INTEGER NOT NULL,
    nodes_left INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshots_pool ON snapshots (pool_id, started, id);

CREATE TABLE nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    -- hosts come and go, history stays: no reference
    host_id INTEGER,
    host_name TEXT,
    ip TEXT,
    -- JSON
    transport_addresses TEXT NOT NULL,
    version TEXT,
    package TEXT,
    namespace TEXT,
    -- the first one, from details
    virtual_ip TEXT,
    consistency REAL,
    connections INTEGER,
    tcp INTEGER,
    udp INTEGER,
    relayed INTEGER,
    secure INTEGER,
    retries INTEGER NOT NULL,
    rtt_ms REAL,
    uptime_s INTEGER,
    memory INTEGER,
    cpu_s REAL,
    host_load REAL,
    latitude REAL,
    longitude REAL,
    -- JSON
    neighbours TEXT NOT NULL,
    -- JSON
    details TEXT NOT NULL
) STRICT;
CREATE INDEX nodes_snapshot ON nodes (snapshot_id, id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- people go, what they did stays: no reference
    user_id INTEGER,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    pool TEXT,
    subject TEXT NOT NULL,
    -- JSON
    details TEXT NOT NULL,
    address TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);
