-- Rows of a manager of schema 2 (version 0.1.0 before its first release), in SQL that both databases read.
-- BYTES(…) is replaced by the database's own form of a byte string.
INSERT INTO users (id, name, name_key, password, role, created, disabled)
VALUES (1, 'Anna', 'anna', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', 'super_administrator', 1000, FALSE),
       (2, 'ben', 'ben', NULL, 'viewer', 2000, TRUE);
INSERT INTO sessions (id, user_id, token_hash, created, last_seen, idle_until, expires, address, agent)
VALUES (1, 1, 'session-hash', 1000, 2000, 4102444800000, 4102444800000, '127.0.0.1', 'curl');
INSERT INTO tokens (id, user_id, name, token_hash, role, created, expires, last_used)
VALUES (1, 1, 'laptop', 'token-hash', 'administrator', 1000, NULL, 3000);
INSERT INTO secrets (scope, name, ciphertext, changed) VALUES ('pool/1', 'ssh_key', BYTES(01ff00), 1000);
INSERT INTO settings (name, value, changed) VALUES ('greeting', '"hello"', 1000);
INSERT INTO bundles (digest, name, kind, size, program, version, arch, files, created)
VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'planet.zip', 'libp2p', 42, 'p2pnode', '0.1.0', 'x86_64', '[]', 1000);
INSERT INTO pools (id, name, settings, state, bundle, package, owner, created)
VALUES (1, 'planet', '{"description":"all of it","visibility":"public"}', 'running',
        'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
        'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 1, 1000);
INSERT INTO hosts (id, pool_id, address_key, ssh_port, line, leaving, address, port, login, latitude, longitude, labels,
                   search, address_order, reachable, package, running, node, memory_total, known_at)
VALUES (1, 1, '10.0.0.1', 22, 1, FALSE, '10.0.0.1', NULL, NULL, 45.75, 4.85, '{}', '10.0.0.1', '10.0.0.1', TRUE,
        'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', TRUE, 'peer-one', 8589934592, 5000),
       (2, 1, 'b.example', 2222, 2, FALSE, 'B.example', 2222, 'ops', NULL, NULL, '{"site":"lyon"}', 'b.example', 'b.example',
        NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO host_keys (address_key, ssh_port, public_key, fingerprint, since)
VALUES ('10.0.0.1', 22, 'ssh-ed25519 AAAA', 'SHA256:x', 1000);
INSERT INTO snapshots (id, pool_id, task_id, started, duration_ms, nodes, answering, unreachable, consistency, connections,
                       tcp, udp, relayed, secure, retries, missing, nodes_joined, nodes_left)
VALUES (1, 1, 1, 1700000000000, 1500, 2, 1, 1, 0.5, 3, 2, 1, 0, 3, 1, 1, 2, 0),
       (2, 1, 2, 1700001800000, 1400, 1, 1, 0, 1.0, 2, 2, 0, 0, 2, 0, 2, 0, 1);
INSERT INTO nodes (id, snapshot_id, address, status, error, host_id, host_name, ip, transport_addresses, version, package,
                   namespace, virtual_ip, consistency, connections, tcp, udp, relayed, secure, retries, rtt_ms, uptime_s,
                   memory, cpu_s, host_load, latitude, longitude, neighbours, details)
VALUES (1, 1, 'peer-one', 'answering', NULL, 1, '10.0.0.1', '10.0.0.1', '["/ip4/10.0.0.1/tcp/4600"]', 'p2pnode/0.1.0',
        'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'planet', NULL, 0.5, 3, 2, 1, 0, 3, 0, 1.5, 60,
        13000000, 0.5, 0.25, 45.75, 4.85, '["peer-two"]', '{"kind":"libp2p","nat":null,"protocols":[],"info":true}'),
       (2, 1, 'peer-two', 'dial_failed', 'dial: timed out', NULL, NULL, '10.0.0.9', '[]', NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]',
        '{"kind":"libp2p","nat":null,"protocols":[],"info":false}'),
       (3, 2, 'peer-one', 'answering', NULL, 1, '10.0.0.1', '10.0.0.1', '["/ip4/10.0.0.1/tcp/4600"]', 'p2pnode/0.1.0', NULL,
        'planet', NULL, 1.0, 2, 2, 0, 0, 2, 0, 1.25, 1860, 13100000, 1.5, 0.5, 45.75, 4.85, '[]',
        '{"kind":"libp2p","nat":null,"protocols":[],"info":true}');
INSERT INTO audit (id, at, user_id, actor, action, pool, subject, details, address)
VALUES (1, 1000, 1, 'Anna', 'POST /pools', 'planet', 'pools', '{"status":201}', '127.0.0.1');
INSERT INTO tasks (id, pool_id, pool_name, action, state, started_by, asked, params, result, message, waits_for, end_request,
                   retry_of, queued_at, started_at, ended_at, counts, owner, lease_until, fence)
VALUES (1, 1, 'planet', 'install', 'succeeded', 'Anna', '{}', '{}', NULL, '', NULL, NULL, NULL, 1000, 1001, 2000,
        '{"ok":1,"unreachable":1}', NULL, NULL, 1),
       (2, 1, 'planet', 'crawl', 'succeeded', 'schedule', '{}', '{}', NULL, '', NULL, NULL, NULL, 3000, 3001, 4000, '{}',
        NULL, NULL, 1);
INSERT INTO task_hosts (task_id, host_id, address, outcome, step, cause, message, attempt, duration_ms, at)
VALUES (1, 1, '10.0.0.1', 'ok', NULL, NULL, '', 1, 900, 1900),
       (1, 2, 'B.example', 'unreachable', 'connect', 'connect_timeout', 'no answer', 1, 10000, 1950);
INSERT INTO task_outputs (task_id, host_id, output) VALUES (1, 1, 'unpacked');
INSERT INTO task_steps (task_id, host_id, fence, number, step, begun_at, ended_at, result)
VALUES (1, 1, 1, 1, 'receive', 1100, 1500, 'changed');
INSERT INTO schedules (id, pool_id, action, cron, enabled, next_at, last_at, last_task)
VALUES (1, 1, 'crawl', '*/30 * * * *', TRUE, 4102444800000, 3000, 2);
