//! Sums over some rows of a table.

use std::collections::HashSet;

use super::{NodeTable, Number};
use crate::snapshot::{NodeStatus, Totals};

impl NodeTable {
    /// The overlay addresses of those of these rows that answered.
    pub fn answering_of(&self, rows: &[usize]) -> HashSet<String> {
        let answering = rows.iter().filter(|row| self.is_answering(**row));
        answering.map(|row| self.address(*row).to_owned()).collect()
    }

    /// Sums these rows as [`Totals::of`] sums nodes; `before` are the overlay addresses that answered before
    /// (`None`: nobody joined or left). No host is missing: hosts are no rows.
    pub fn totals_of(&self, rows: &[usize], before: Option<&HashSet<String>>) -> Totals {
        let of = |status| rows.iter().filter(|row| self.status(**row) == status).count() as u64;
        let numbers = |column| rows.iter().filter_map(move |row| self.number(column, *row));
        let sum = |column| numbers(column).map(|n| u64::try_from(n).unwrap_or(0)).reduce(u64::saturating_add);
        let known: Vec<f64> = rows.iter().filter_map(|row| self.float(Number::Consistency, *row)).collect();
        let answering = of(NodeStatus::Answering);
        let stayed = before.map(|before| {
            let stays = |row: &&usize| self.is_answering(**row) && before.contains(self.address(**row));
            (before.len() as u64, rows.iter().filter(stays).count() as u64)
        });
        Totals {
            nodes: rows.len() as u64,
            answering,
            unreachable: rows.len() as u64 - answering,
            dial_failed: of(NodeStatus::DialFailed),
            connect_failed: of(NodeStatus::ConnectFailed),
            ask_failed: of(NodeStatus::AskFailed),
            not_dialled: of(NodeStatus::NotDialled),
            consistency: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
            connections: sum(Number::Connections),
            tcp: sum(Number::Tcp),
            udp: sum(Number::Udp),
            relayed: sum(Number::Relayed),
            secure: sum(Number::Secure),
            retries: sum(Number::Retries).unwrap_or(0),
            missing: 0,
            joined: stayed.map_or(0, |(_, stayed)| answering - stayed),
            left: stayed.map_or(0, |(before, stayed)| before.saturating_sub(stayed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Node, NodeDetails};

    #[test]
    fn all_rows_together_are_summed_as_the_nodes_themselves() {
        let details = || NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        let node = |address: &str, status, consistency, tcp| Node {
            status,
            consistency,
            tcp,
            retries: 2,
            ..Node::unknown(address, details())
        };
        let nodes = [
            node("a", NodeStatus::Answering, Some(0.5), Some(3)),
            node("b", NodeStatus::Answering, Some(1.0), None),
            node("c", NodeStatus::DialFailed, None, Some(4)),
        ];
        let table = NodeTable::of(&nodes);
        let before = HashSet::from(["a".to_owned(), "x".to_owned()]);
        for before in [None, Some(&before)] {
            assert_eq!(table.totals_of(&[0, 1, 2], before), Totals::of(&nodes, before, 0));
            assert_eq!(table.totals_of(&[1], before), Totals::of(&nodes[1..2], before, 0));
            assert_eq!(table.totals_of(&[], before), Totals::of(&[], before, 0));
        }
        assert_eq!(table.answering_of(&[0, 2]), HashSet::from(["a".to_owned()]));
    }
}
