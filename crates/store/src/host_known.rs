//! What is known of hosts, written in batches.

use p2ppool_model::Digest;
use p2ppool_model::HostId;
use p2ppool_model::host::HostKnown;

use crate::Store;
use crate::db::{CHUNK_ROWS, Tx, on};
use crate::error::{Result, Tried as _};
use crate::text::{clean_opt, finite, int};

const LEARNT: &str = "WITH learnt (id, reachable, package, running, node, node_memory, node_cpu_s, node_uptime_s,
                  memory_total, memory_available, host_load, disk_free, uptime_s, arch, problem, known_at) AS (";

const REPLACE: &str = ") UPDATE hosts SET
    reachable = l.reachable, package = l.package, running = l.running, node = l.node,
    node_memory = l.node_memory, node_cpu_s = l.node_cpu_s, node_uptime_s = l.node_uptime_s,
    memory_total = l.memory_total, memory_available = l.memory_available, host_load = l.host_load,
    disk_free = l.disk_free, uptime_s = l.uptime_s, arch = l.arch, problem = l.problem, known_at = l.known_at
    FROM learnt l WHERE hosts.id = l.id";

const MERGE: &str = ") UPDATE hosts SET
    reachable = COALESCE(l.reachable, hosts.reachable), package = COALESCE(l.package, hosts.package),
    running = CASE WHEN l.reachable IS FALSE THEN l.running ELSE COALESCE(l.running, hosts.running) END,
    node = COALESCE(l.node, hosts.node), node_memory = COALESCE(l.node_memory, hosts.node_memory),
    node_cpu_s = COALESCE(l.node_cpu_s, hosts.node_cpu_s),
    node_uptime_s = COALESCE(l.node_uptime_s, hosts.node_uptime_s),
    memory_total = COALESCE(l.memory_total, hosts.memory_total),
    memory_available = COALESCE(l.memory_available, hosts.memory_available),
    host_load = COALESCE(l.host_load, hosts.host_load), disk_free = COALESCE(l.disk_free, hosts.disk_free),
    uptime_s = COALESCE(l.uptime_s, hosts.uptime_s), arch = COALESCE(l.arch, hosts.arch),
    problem = l.problem, known_at = COALESCE(l.known_at, hosts.known_at)
    FROM learnt l WHERE hosts.id = l.id";

/// How what was learnt meets what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// What wasn't looked at (`None`) stays as it was known, so that a check and a gathering of usage
    /// may write beside each other. Two exceptions: `problem` is always replaced, and of a host that
    /// could not be reached it is not known whether its node runs.
    Some,
    /// All of it: what is `None` is not known any more. For a host that was uninstalled.
    All,
}

impl Store {
    /// Writes down what was learnt of hosts, in one transaction; hosts that are gone are left out.
    /// Tells how many were written. When a host is named twice, the last counts.
    pub async fn set_hosts_known(&self, learnt: Learnt, hosts: &[(HostId, HostKnown)]) -> Result<u64> {
        let mut newest = std::collections::BTreeMap::new();
        newest.extend(hosts.iter().map(|(id, known)| (*id, known)));
        let rows: Vec<(HostId, &HostKnown)> = newest.into_iter().collect();
        let mut written = 0;
        let mut tx = self.db.begin_relaxed().await?;
        for chunk in rows.chunks(CHUNK_ROWS) {
            written += update_chunk(&mut tx, learnt, chunk).await?;
        }
        tx.commit().await?;
        Ok(written)
    }
}

async fn update_chunk(tx: &mut Tx, learnt: Learnt, hosts: &[(HostId, &HostKnown)]) -> Result<u64> {
    on!(tx.conn(), conn: DB => {
        let mut query = sqlx::QueryBuilder::<DB>::new(LEARNT);
        query.push_values(hosts, |mut row, (id, known)| {
            row.push_bind(id.0)
                .push_bind(known.reachable)
                .push_bind(known.package.as_ref().map(Digest::as_str))
                .push_bind(known.running)
                .push_bind(clean_opt(known.node.as_deref()))
                .push_bind(known.node_memory.map(int))
                .push_bind(finite(known.node_cpu_s))
                .push_bind(known.node_uptime_s.map(int))
                .push_bind(known.memory_total.map(int))
                .push_bind(known.memory_available.map(int))
                .push_bind(finite(known.load))
                .push_bind(known.disk_free.map(int))
                .push_bind(known.uptime_s.map(int))
                .push_bind(clean_opt(known.arch.as_deref()))
                .push_bind(clean_opt(known.problem.as_deref()))
                .push_bind(known.at.map(|time| time.0));
        });
        query.push(match learnt {
            Learnt::Some => MERGE,
            Learnt::All => REPLACE,
        });
        query.build().persistent(hosts.len() == CHUNK_ROWS).execute(conn).await.map(|done| done.rows_affected())
    })
    .tried("write what is known of hosts")
}
