//! What becomes of alerts, given what is found now.

use std::collections::HashMap;
use std::time::Duration;

use super::watch::Finding;
use super::{Alert, AlertState};
use crate::{AlertId, Time};

/// Most alerts that one rule has at once. A rule that finds more tells of the first ones.
pub const ALERTS_MAX: usize = 1_000;

/// One change of a rule's alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Found for the first time, and not for long enough to tell.
    Wait(Finding),
    /// Found for the first time, and to be told.
    Open(Finding),
    /// A pending alert has been there for long enough: to be told.
    Tell(AlertId, Finding),
    /// Still wrong, in other words.
    Reword(AlertId, Finding),
    /// Over: to be told.
    Recover(AlertId),
    /// A pending alert that is over before it was told.
    Forget(AlertId),
}

/// Compares what is found with the rule's pending and open alerts. The same input gives the same decisions, and an
/// alert that is decided on once is not decided on again when the next look finds the same.
pub fn decide(alerts: &[Alert], found: Vec<Finding>, hold: Duration, now: Time) -> Vec<Decision> {
    let mut there: HashMap<&str, &Alert> = alerts
        .iter()
        .filter(|alert| alert.state != AlertState::Recovered)
        .map(|alert| (alert.subject.as_str(), alert))
        .collect();
    let room = ALERTS_MAX.saturating_sub(there.len());
    let (mut decisions, mut begun) = (Vec::new(), 0);
    for finding in found {
        match there.remove(finding.subject.as_str()) {
            Some(alert) if alert.state == AlertState::Pending && now.since(alert.since) >= hold => {
                decisions.push(Decision::Tell(alert.id, finding));
            }
            Some(alert) if alert.text != finding.text => decisions.push(Decision::Reword(alert.id, finding)),
            Some(_) => {}
            None if begun >= room => {}
            None => {
                begun += 1;
                // the time counts from the first look that found it, or from what is known to be earlier
                let long = now.since(finding.since) >= hold;
                decisions.push(if long { Decision::Open(finding) } else { Decision::Wait(finding) });
            }
        }
    }
    let mut over: Vec<&Alert> = there.into_values().collect();
    over.sort_by_key(|alert| alert.id);
    decisions.extend(over.into_iter().map(|alert| match alert.state {
        AlertState::Pending => Decision::Forget(alert.id),
        _ => Decision::Recover(alert.id),
    }));
    decisions
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{AlertRuleId, PoolId};

    use super::*;

    fn found(subject: &str, since: i64) -> Finding {
        Finding { subject: subject.into(), text: format!("{subject} is wrong"), since: Time(since) }
    }

    fn alert(id: i64, subject: &str, state: AlertState, since: i64) -> Alert {
        Alert {
            id: AlertId(id),
            rule: AlertRuleId(1),
            rule_name: "r".into(),
            pool: PoolId(1),
            pool_name: "p".parse().unwrap(),
            subject: subject.into(),
            text: format!("{subject} is wrong"),
            state,
            since: Time(since),
            opened: None,
            recovered: None,
            acknowledged_by: None,
            acknowledged: None,
            comment: None,
        }
    }

    const HOLD: Duration = Duration::from_millis(100);

    #[test]
    fn an_alert_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let open = [alert(1, "a", AlertState::Open, 0)];
        assert_eq!(decide(&[], vec![found("a", 5)], Duration::ZERO, Time(5)), [Decision::Open(found("a", 5))]);
        assert_eq!(decide(&open, vec![found("a", 5)], Duration::ZERO, Time(9)), []);
        let other = Finding { text: "worse".into(), ..found("a", 5) };
        assert_eq!(decide(&open, vec![other.clone()], Duration::ZERO, Time(9)), [Decision::Reword(AlertId(1), other)]);
        assert_eq!(decide(&open, vec![], Duration::ZERO, Time(9)), [Decision::Recover(AlertId(1))]);
        let over = [alert(1, "a", AlertState::Recovered, 0)];
        assert_eq!(decide(&over, vec![], Duration::ZERO, Time(9)), []);
        assert_eq!(
            decide(&over, vec![found("a", 9)], Duration::ZERO, Time(9)),
            [Decision::Open(found("a", 9))],
            "again"
        );
    }

    #[test]
    fn what_must_last_waits_and_is_forgotten_when_it_does_not() {
        assert_eq!(decide(&[], vec![found("a", 50)], HOLD, Time(60)), [Decision::Wait(found("a", 50))]);
        let pending = [alert(1, "a", AlertState::Pending, 50)];
        // the host was tried again: what is known is newer, the alert is not
        assert_eq!(decide(&pending, vec![found("a", 140)], HOLD, Time(149)), []);
        assert_eq!(
            decide(&pending, vec![found("a", 140)], HOLD, Time(150)),
            [Decision::Tell(AlertId(1), found("a", 140))]
        );
        assert_eq!(decide(&pending, vec![], HOLD, Time(149)), [Decision::Forget(AlertId(1))]);
    }

    #[test]
    fn a_rule_that_finds_everything_wrong_has_bounded_alerts() {
        let all: Vec<Finding> = (0..ALERTS_MAX + 10).map(|n| found(&format!("h{n}"), 0)).collect();
        assert_eq!(decide(&[], all, Duration::ZERO, Time(0)).len(), ALERTS_MAX);
    }

    proptest! {
        #[test]
        fn whatever_happens_every_subject_is_opened_and_recovered_in_turn(looks in prop::collection::vec(prop::collection::btree_set(0u8..4, 0..4), 1..40)) {
            let (mut alerts, mut made) = (Vec::<Alert>::new(), 0);
            for (now, wrong) in (0i64..).zip(&looks) {
                let now = Time(now * 60);
                let findings = wrong.iter().map(|n| Finding { since: now, ..found(&n.to_string(), 0) }).collect();
                for decision in decide(&alerts, findings, HOLD, now) {
                    let place = |id: AlertId| alerts.iter().position(|a| a.id == id).unwrap();
                    match decision {
                        Decision::Wait(f) | Decision::Open(f) => {
                            let state = if now.since(f.since) >= HOLD { AlertState::Open } else { AlertState::Pending };
                            made += 1;
                            alerts.push(alert(made, &f.subject, state, f.since.0));
                        }
                        Decision::Tell(id, _) => {
                            let place = place(id);
                            prop_assert_eq!(alerts[place].state, AlertState::Pending);
                            alerts[place].state = AlertState::Open;
                        }
                        Decision::Recover(id) => {
                            let place = place(id);
                            prop_assert_eq!(alerts[place].state, AlertState::Open);
                            alerts[place].state = AlertState::Recovered;
                        }
                        Decision::Forget(id) => alerts.retain(|a| a.id != id),
                        Decision::Reword(..) => {}
                    }
                }
                for n in wrong {
                    let alive = alerts.iter().filter(|a| a.subject == n.to_string() && a.state != AlertState::Recovered);
                    prop_assert_eq!(alive.count(), 1);
                }
            }
        }
    }
}
