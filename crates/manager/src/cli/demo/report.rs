//! What `demo --once` tells.

use std::collections::BTreeMap;

use serde::Serialize;

/// The whole life of the demo's pool.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Each step was right on every node, and nothing is left.
    pub(super) ok: bool,
    /// Program version.
    pub(super) version: &'static str,
    /// Hosts of the pool.
    pub(super) hosts: usize,
    /// From the first step to the last, seconds.
    pub(super) duration_s: f64,
    /// In the order they were done.
    pub(super) steps: Vec<StepReport>,
    /// Host address → overlay address of its node.
    pub(super) nodes: BTreeMap<String, String>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct StepReport {
    /// Its name.
    pub(super) name: &'static str,
    /// It was right on every node.
    pub(super) ok: bool,
    /// Time it took, seconds.
    pub(super) duration_s: f64,
    /// On how many hosts it was found right.
    pub(super) right: usize,
    /// What was not right, one sentence each.
    pub(super) problems: Vec<String>,
}

impl Report {
    /// For a person.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let mark = if step.ok { "ok" } else { "FAILED" };
            text +=
                &format!("{:10} {mark:6} {:6.1} s  {}/{} hosts\n", step.name, step.duration_s, step.right, self.hosts);
            for problem in &step.problems {
                text += &format!("    {problem}\n");
            }
        }
        let end = if self.ok { "everything was right on every node" } else { "something was not right" };
        text + &format!("{end}, {:.1} s\n", self.duration_s)
    }
}
