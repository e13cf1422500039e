//! Sessions of nodes, and churn: how long nodes stay, and who comes and goes.
//!
//! Crawls look at moments, so a session is only known within bounds: it began after the crawl `before`
//! and not later than `began`, and it ended not earlier than `ended` and before `after`. Its length lies
//! between `ended - began` and `after - before`. A session that one crawl alone saw is shorter than two gaps
//! between crawls and may have been a second: it is told as *shorter than the crawl gap*, never as zero.
//!
//! Formulas:
//! - Session lengths: the Kaplan-Meier estimator (E. Kaplan, P. Meier, "Nonparametric estimation from incomplete
//!   observations", J. Am. Stat. Assoc. 53, 1958) of `P(length <= t)`, once with the least and once with the
//!   greatest length of every session; the truth lies between the two curves. Sessions that still go on, or went on at
//!   the end of the window, are censored there instead of being left out. Only sessions that *began* within the window
//!   count, so that long ones don't count more often because they are more often met (the length bias of
//!   D. Stutzbach, R. Rejaie, "Understanding churn in peer-to-peer networks", IMC 2006).
//! - Classes: those of the reports of Nebula and ProbeLab (github.com/dennis-tra/nebula, probelab.io): over the
//!   window a node is *online* (there the whole time), *entered* (not at the beginning, there at the end), *left*
//!   (the reverse), *one-off* (there once, at neither end), *dangling* (came and went more than once) or *offline*.
//! - Uptime share: the time within the window that the node's sessions cover, least and greatest, by the time from the
//!   window's first crawl to its last.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Points of a curve: enough for any chart.
const POINTS_MAX: usize = 200;

/// A time during which a node answered every crawl that asked it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeSession {
    /// Overlay address of the node.
    pub address: String,
    /// The last whole crawl before it, in which the node did not answer; null: it was there when the pool was first crawled.
    pub before: Option<Time>,
    /// The first crawl that it answered.
    pub began: Time,
    /// The last crawl that it answered.
    pub ended: Time,
    /// The first crawl that it did not answer; null: it goes on.
    pub after: Option<Time>,
}

impl NodeSession {
    /// The least that it lasted, milliseconds.
    pub fn least_ms(&self) -> u64 {
        millis(self.began, self.ended)
    }

    /// The most that it can have lasted, milliseconds; unknown when its beginning or its end is.
    pub fn most_ms(&self) -> Option<u64> {
        Some(millis(self.before?, self.after?))
    }

    /// One crawl alone saw it.
    pub fn is_shorter_than_gap(&self) -> bool {
        self.began == self.ended && self.after.is_some()
    }
}

/// How a node behaved over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeClass {
    /// There the whole time.
    Online,
    /// Came and stayed.
    Entered,
    /// Was there and went.
    Left,
    /// Came and went, once.
    OneOff,
    /// Came or went more than once.
    Dangling,
    /// Never there in the window, but before.
    Offline,
}

impl NodeClass {
    /// Every class.
    pub const ALL: [NodeClass; 6] =
        [Self::Online, Self::Entered, Self::Left, Self::OneOff, Self::Dangling, Self::Offline];
}

/// The time between two crawls, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// The first crawl.
    pub from: Time,
    /// The last crawl.
    pub to: Time,
}

/// A share of time, with what is not known of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ShareBounds)]
pub struct Share {
    /// At least, 0 to 1.
    pub least: f64,
    /// At most, 0 to 1.
    pub most: f64,
}

/// One point of the distribution of session lengths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// Length, seconds.
    pub length_s: f64,
    /// The share of sessions that are at most so long, at least.
    pub least: f64,
    /// The same, at most.
    pub most: f64,
}

/// What happened in a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Churn {
    /// The window; null when no crawl lies in it.
    pub window: Option<Window>,
    /// Nodes by class; every class is there.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub classes: BTreeMap<NodeClass, u64>,
    /// Sessions that overlap the window.
    pub sessions: u64,
    /// Sessions that began in it: those whose lengths are told.
    pub began: u64,
    /// Of them those that went on at its end.
    pub censored: u64,
    /// Of them those that one crawl alone saw: their length is only known to be less than two gaps between crawls.
    pub shorter_than_gap: u64,
    /// Distribution of session lengths (CDF), by length.
    pub lengths: Vec<Point>,
    /// Half of the sessions are shorter than this, seconds: from the curve of greatest shares. Null: not half of them ended.
    pub median_least_s: Option<f64>,
    /// The same from the curve of least shares.
    pub median_most_s: Option<f64>,
    /// Mean uptime share over the nodes that were there at all.
    pub uptime: Option<Share>,
}

/// Churn in a window, from the sessions that overlap it; `known` nodes were ever seen until its end.
pub fn churn(window: Window, sessions: &[NodeSession], known: u64) -> Churn {
    let mut by_node: HashMap<&str, Vec<&NodeSession>> = HashMap::new();
    for session in sessions {
        by_node.entry(&session.address).or_default().push(session);
    }
    let mut classes: BTreeMap<NodeClass, u64> = NodeClass::ALL.iter().map(|class| (*class, 0)).collect();
    let (mut least, mut most) = (0.0, 0.0);
    for sessions in by_node.values() {
        *classes.entry(class(window, sessions)).or_default() += 1;
        let share = uptime(window, sessions);
        (least, most) = (least + share.least, most + share.most);
    }
    let there = by_node.len() as f64;
    classes.insert(NodeClass::Offline, known.saturating_sub(by_node.len() as u64));
    let began: Vec<&NodeSession> =
        sessions.iter().filter(|one| one.before.is_some() && one.began > window.from).collect();
    let (lengths, censored) = lengths(window, &began);
    let median = |curve: fn(&Point) -> f64| lengths.iter().find(|point| curve(point) >= 0.5).map(|p| p.length_s);
    Churn {
        window: Some(window),
        classes,
        sessions: sessions.len() as u64,
        began: began.len() as u64,
        censored,
        shorter_than_gap: began.iter().filter(|one| one.is_shorter_than_gap()).count() as u64,
        median_least_s: median(|point| point.most),
        median_most_s: median(|point| point.least),
        lengths: thinned(lengths),
        uptime: (there > 0.0).then(|| Share { least: least / there, most: most / there }),
    }
}

/// The class of a node by its sessions that overlap the window.
pub fn class(window: Window, sessions: &[&NodeSession]) -> NodeClass {
    let at_begin = sessions.iter().any(|one| one.began <= window.from && one.ended >= window.from);
    let at_end = sessions.iter().any(|one| one.began <= window.to && one.ended >= window.to);
    match (sessions.len(), at_begin, at_end) {
        (0, _, _) => NodeClass::Offline,
        (1, true, true) => NodeClass::Online,
        (1, false, true) => NodeClass::Entered,
        (1, true, false) => NodeClass::Left,
        (1, false, false) => NodeClass::OneOff,
        _ => NodeClass::Dangling,
    }
}

/// The share of the window that these sessions of one node cover. A window of one crawl: there or not.
pub fn uptime(window: Window, sessions: &[&NodeSession]) -> Share {
    let whole = millis(window.from, window.to);
    if whole == 0 {
        let there = f64::from(u8::from(!sessions.is_empty()));
        return Share { least: there, most: there };
    }
    let within = |from: Time, to: Time| millis(from.max(window.from), to.min(window.to)) as f64;
    let least: f64 = sessions.iter().map(|one| within(one.began, one.ended)).sum();
    let most: f64 =
        sessions.iter().map(|one| within(one.before.unwrap_or(window.from), one.after.unwrap_or(window.to))).sum();
    Share { least: (least / whole as f64).min(1.0), most: (most / whole as f64).min(1.0) }
}

/// A length in milliseconds, and whether it is known to have ended there.
type Observed = (u64, bool);

fn lengths(window: Window, sessions: &[&NodeSession]) -> (Vec<Point>, u64) {
    let ended = |one: &NodeSession| one.after.filter(|after| *after <= window.to);
    let observe = |from: fn(&NodeSession) -> Time, to: fn(&NodeSession, Time) -> Time| -> Vec<Observed> {
        let length = |one: &&NodeSession| match ended(one) {
            Some(after) => (millis(from(one), to(one, after)), true),
            None => (millis(from(one), one.ended.min(window.to)), false),
        };
        sessions.iter().map(length).collect()
    };
    // the shorter all lengths are taken to be, the more of them are short
    let most = kaplan_meier(observe(|one| one.began, |one, _| one.ended));
    let least = kaplan_meier(observe(|one| one.before.unwrap_or(one.began), |_, after| after));
    let mut at: Vec<u64> = most.iter().chain(&least).map(|(length, _)| *length).collect();
    at.sort_unstable();
    at.dedup();
    let points = at.into_iter().map(|length| Point {
        length_s: length as f64 / 1000.0,
        least: value_at(&least, length),
        most: value_at(&most, length),
    });
    (points.collect(), sessions.iter().filter(|one| ended(one).is_none()).count() as u64)
}

/// `P(length <= t)` at each length at which a session ended.
fn kaplan_meier(mut observed: Vec<Observed>) -> Vec<(u64, f64)> {
    observed.sort_unstable();
    let mut curve = Vec::new();
    let mut surviving = 1.0;
    let mut at = 0;
    while at < observed.len() {
        let length = observed[at].0;
        let at_risk = (observed.len() - at) as f64;
        let same = observed[at..].iter().take_while(|one| one.0 == length).count();
        let ended = observed[at..at + same].iter().filter(|one| one.1).count() as f64;
        if ended > 0.0 {
            surviving *= 1.0 - ended / at_risk;
            curve.push((length, 1.0 - surviving));
        }
        at += same;
    }
    curve
}

fn value_at(curve: &[(u64, f64)], length: u64) -> f64 {
    let after = curve.partition_point(|(at, _)| *at <= length);
    if after == 0 { 0.0 } else { curve[after - 1].1 }
}

/// Evenly spaced points of a long curve, its last one among them.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= POINTS_MAX {
        return points;
    }
    (1..=POINTS_MAX).map(|i| points[i * points.len() / POINTS_MAX - 1]).collect()
}

fn millis(from: Time, to: Time) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(address: &str, before: Option<i64>, began: i64, ended: i64, after: Option<i64>) -> NodeSession {
        NodeSession {
            address: address.into(),
            before: before.map(Time),
            began: Time(began),
            ended: Time(ended),
            after: after.map(Time),
        }
    }

    const WINDOW: Window = Window { from: Time(0), to: Time(100) };

    #[test]
    fn a_session_is_known_within_bounds() {
        let one = session("a", Some(10), 20, 20, Some(30));
        assert_eq!((one.least_ms(), one.most_ms(), one.is_shorter_than_gap()), (0, Some(20), true));
        let open = session("a", Some(10), 20, 20, None);
        assert_eq!((open.most_ms(), open.is_shorter_than_gap()), (None, false));
    }

    #[test]
    fn nodes_have_the_classes_of_the_reports() {
        let class_of = |sessions: &[NodeSession]| class(WINDOW, &sessions.iter().collect::<Vec<_>>());
        assert_eq!(class_of(&[session("a", None, 0, 100, None)]), NodeClass::Online);
        assert_eq!(class_of(&[session("a", Some(10), 20, 100, None)]), NodeClass::Entered);
        assert_eq!(class_of(&[session("a", None, -50, 40, Some(50))]), NodeClass::Left);
        assert_eq!(class_of(&[session("a", Some(10), 20, 40, Some(50))]), NodeClass::OneOff);
        let twice = [session("a", None, 0, 20, Some(30)), session("a", Some(80), 90, 100, None)];
        assert_eq!(class_of(&twice), NodeClass::Dangling);
        assert_eq!(class_of(&[]), NodeClass::Offline);
    }

    #[test]
    fn uptime_is_between_what_is_sure_and_what_may_be() {
        let one = session("a", Some(10), 20, 40, Some(50));
        let share = uptime(WINDOW, &[&one]);
        assert!((share.least - 0.2).abs() < 1e-9 && (share.most - 0.4).abs() < 1e-9, "{share:?}");
        let whole = session("a", None, -10, 100, None);
        assert_eq!(uptime(WINDOW, &[&whole]), Share { least: 1.0, most: 1.0 });
    }

    /// The worked example of the estimator: 6 patients, deaths at 1, 3 and 6, censored at 2, 4 and 5.
    #[test]
    fn censored_sessions_count_as_long_as_they_were_seen() {
        let curve = kaplan_meier(vec![(1, true), (2, false), (3, true), (4, false), (5, false), (6, true)]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(curve[0].1, 1.0 / 6.0), "{curve:?}");
        assert!(near(curve[1].1, 1.0 - 5.0 / 6.0 * 3.0 / 4.0), "{curve:?}");
        assert!(near(curve[2].1, 1.0), "{curve:?}");
    }

    #[test]
    fn lengths_lie_between_two_curves() {
        let sessions = [
            session("always", None, 0, 100, None),
            session("a", Some(0), 10, 30, Some(40)),
            session("b", Some(10), 20, 20, Some(30)),
            session("c", Some(50), 60, 100, None),
        ];
        let found = churn(WINDOW, &sessions, 9);
        assert_eq!((found.sessions, found.began, found.censored, found.shorter_than_gap), (4, 3, 1, 1));
        assert_eq!((found.classes[&NodeClass::Offline], found.classes[&NodeClass::OneOff]), (5, 2));
        assert!(found.lengths.iter().all(|point| point.least <= point.most), "{:?}", found.lengths);
        assert!(found.lengths.is_sorted_by(|a, b| a.length_s < b.length_s && a.most <= b.most));
        let first = found.lengths[0];
        assert!((first.length_s, first.least) == (0.0, 0.0) && (first.most - 1.0 / 3.0).abs() < 1e-9, "{first:?}");
        let last = found.lengths.last().unwrap();
        assert!(last.most < 1.0 && (last.least - 2.0 / 3.0).abs() < 1e-9, "{last:?}");
    }

    #[test]
    fn long_curves_are_thinned() {
        let many: Vec<NodeSession> = (1..=900).map(|i| session(&format!("{i}"), Some(0), 1, i, Some(i + 1))).collect();
        let window = Window { from: Time(0), to: Time(2_000) };
        let found = churn(window, &many, 900);
        assert_eq!(found.lengths.len(), POINTS_MAX);
        assert!((found.lengths[POINTS_MAX - 1].least - 1.0).abs() < 1e-9);
    }
}
