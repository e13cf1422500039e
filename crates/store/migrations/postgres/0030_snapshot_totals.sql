-- Unreachable nodes by cause, whether the crawl was complete, and sums that nobody told are unknown instead of zero.
ALTER TABLE snapshots ADD COLUMN complete BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE snapshots ADD COLUMN dial_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN connect_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN ask_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN not_dialled BIGINT NOT NULL DEFAULT 0;
ALTER TABLE snapshots ALTER COLUMN connections DROP NOT NULL;
ALTER TABLE snapshots ALTER COLUMN tcp DROP NOT NULL;
ALTER TABLE snapshots ALTER COLUMN udp DROP NOT NULL;
ALTER TABLE snapshots ALTER COLUMN relayed DROP NOT NULL;
ALTER TABLE snapshots ALTER COLUMN secure DROP NOT NULL;

UPDATE snapshots SET
    dial_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'dial_failed'),
    connect_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'connect_failed'),
    ask_failed = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'ask_failed'),
    not_dialled = (SELECT COUNT(*) FROM nodes n WHERE n.snapshot_id = snapshots.id AND n.status = 'not_dialled'),
    connections = (SELECT CAST(SUM(n.connections) AS BIGINT) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    tcp = (SELECT CAST(SUM(n.tcp) AS BIGINT) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    udp = (SELECT CAST(SUM(n.udp) AS BIGINT) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    relayed = (SELECT CAST(SUM(n.relayed) AS BIGINT) FROM nodes n WHERE n.snapshot_id = snapshots.id),
    secure = (SELECT CAST(SUM(n.secure) AS BIGINT) FROM nodes n WHERE n.snapshot_id = snapshots.id);
