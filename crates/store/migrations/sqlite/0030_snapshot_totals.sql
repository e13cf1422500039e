-- Unreachable nodes by cause, whether the crawl was complete, and sums that nobody told are unknown instead of zero.
ALTER TABLE snapshots ADD COLUMN complete INTEGER NOT NULL DEFAULT 1;
ALTER TABLE snapshots ADD COLUMN dial_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN connect_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN ask_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN not_dialled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots RENAME COLUMN connections TO connections_0001;
ALTER TABLE snapshots RENAME COLUMN tcp TO tcp_0001;
ALTER TABLE snapshots RENAME COLUMN udp TO udp_0001;
ALTER TABLE snapshots RENAME COLUMN relayed TO relayed_0001;
ALTER TABLE snapshots RENAME COLUMN secure TO secure_0001;
ALTER TABLE snapshots ADD COLUMN connections INTEGER;
ALTER TABLE snapshots ADD COLUMN tcp INTEGER;
ALTER TABLE snapshots ADD COLUMN udp INTEGER;
ALTER TABLE snapshots ADD COLUMN relayed INTEGER;
ALTER TABLE snapshots ADD COLUMN secure INTEGER;

UPDATE snapshots SET
    dial_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'dial_failed'),
    connect_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'connect_failed'),
    ask_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'ask_failed'),
    not_dialled = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'not_dialled'),
    connections = (SELECT SUM(n.connections) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    tcp = (SELECT SUM(n.tcp) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    udp = (SELECT SUM(n.udp) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    relayed = (SELECT SUM(n.relayed) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    secure = (SELECT SUM(n.secure) FROM nodes n WHERE n.snapshot_id = snapshots.id);

ALTER TABLE snapshots DROP COLUMN connections_0001;
ALTER TABLE snapshots DROP COLUMN tcp_0001;
ALTER TABLE snapshots DROP COLUMN udp_0001;
ALTER TABLE snapshots DROP COLUMN relayed_0001;
ALTER TABLE snapshots DROP COLUMN secure_0001;
