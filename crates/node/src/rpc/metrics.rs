//! The metrics page, in Prometheus' text format (version 0.0.4).

use std::fmt::{Display, Write as _};

use crate::node::Report;
use crate::vitals;

/// Renders the page.
pub fn render(namespace: &str, report: &Report) -> String {
    let mut page = Page::default();
    let version = env!("CARGO_PKG_VERSION");
    page.family("p2pnode_build_info", "gauge", "The program; always 1.");
    page.value("p2pnode_build_info", &format!("{{version=\"{version}\",namespace=\"{namespace}\"}}"), 1);
    page.family("p2pnode_connections", "gauge", "Overlay connections by transport.");
    let counts = report.connections;
    for (transport, number) in [("tcp", counts.tcp), ("quic", counts.quic), ("relay", counts.relayed)] {
        page.value("p2pnode_connections", &format!("{{transport=\"{transport}\"}}"), number);
    }
    page.single("p2pnode_connections_open", "gauge", "Connections of any kind, strangers included.", report.open);
    page.single("p2pnode_routing_table_peers", "gauge", "Peers in the routing table.", report.table);
    page.single("p2pnode_uptime_seconds", "gauge", "Seconds since the start.", report.uptime_s);
    page.single("p2pnode_kad_queries", "gauge", "Kademlia queries under way.", report.queries);
    page.single("p2pnode_kad_queries_total", "counter", "Kademlia queries that ended.", report.queries_total);
    page.single("p2pnode_info_answers_total", "counter", "Info questions answered.", report.answers_total);
    page.single("p2pnode_info_refusals_total", "counter", "Info questions refused.", report.refusals_total);
    if let Some(rss) = vitals::rss() {
        page.single("process_resident_memory_bytes", "gauge", "Resident memory.", rss);
    }
    if let Some(cpu_s) = vitals::cpu_s() {
        page.single("process_cpu_seconds_total", "counter", "CPU time used, user and system.", cpu_s);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

// writing to a String can't fail
impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.value(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_a_type_and_a_number() {
        let page = render("demo", &Report { table: 7, ..Report::default() });
        assert!(page.contains("\np2pnode_routing_table_peers 7\n"), "{page}");
        for sample in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = sample.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            assert!(page.contains(&format!("# TYPE {family} ")), "{sample}");
            assert!(value.parse::<f64>().is_ok(), "{sample}");
        }
    }
}
