//! Limits over all managers that share the database: each keeps to its share of them. Pure.
//!
//! Managers never ask each other for a connection. Each works its share out of what the living ones told with
//! their heartbeats. It lowers its share at the heartbeat that shows less, and raises it only after a whole lease that
//! showed more all the time: by then every other living manager has looked, too, and those that have not are dead.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits::ManagerLimits;

/// The setting's name in the database.
pub const SETTING: &str = "limits.all";
/// The largest limit: that of one manager, times more managers than anybody runs.
pub const ALL_MAX: u32 = 1_000_000;

/// Limits over all managers that share the database. Null: there is none but each manager's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AllLimits {
    /// Hosts that are being connected to.
    pub connecting: Option<u32>,
    /// Hosts that are connected and worked on.
    pub working: Option<u32>,
    /// Connections started per second.
    pub per_second: Option<u32>,
    /// Tasks.
    pub tasks: Option<u32>,
}

/// A limit of a manager, and the same over all.
type Field = (fn(&mut ManagerLimits) -> &mut u32, fn(&AllLimits) -> Option<u32>);

const FIELDS: [Field; 4] = [
    (|own| &mut own.connecting, |all| all.connecting),
    (|own| &mut own.working, |all| all.working),
    (|own| &mut own.per_second, |all| all.per_second),
    (|own| &mut own.tasks, |all| all.tasks),
];

impl AllLimits {
    /// The field that is out of its range, if one is.
    pub fn wrong(&self) -> Option<(&'static str, u32)> {
        let fields = [
            ("connecting", self.connecting),
            ("working", self.working),
            ("per_second", self.per_second),
            ("tasks", self.tasks),
        ];
        fields.into_iter().find_map(|(name, value)| value.filter(|n| !(1..=ALL_MAX).contains(n)).map(|n| (name, n)))
    }

    /// What each of these living managers may use, in their order.
    pub fn shares(&self, own: &[ManagerLimits]) -> Vec<ManagerLimits> {
        let mut shares = own.to_vec();
        for (field, all) in FIELDS {
            let Some(all) = all(self) else { continue };
            let wishes: Vec<u32> = shares.iter_mut().map(|one| *field(one)).collect();
            for (one, share) in shares.iter_mut().zip(divided(all, &wishes)) {
                *field(one) = share;
            }
        }
        shares
    }
}

/// Divides `all` among wishes: evenly, and what somebody doesn't wish goes to the others (max-min fairness). Nobody
/// gets nothing, or what it runs would wait for ever: so the sum is `all` at most, or 1 for each when that is more.
fn divided(all: u32, wishes: &[u32]) -> Vec<u32> {
    let mut modest_first: Vec<usize> = (0..wishes.len()).collect();
    modest_first.sort_by_key(|at| wishes[*at]);
    let (mut left, mut shares) = (all, vec![0; wishes.len()]);
    for (done, at) in modest_first.into_iter().enumerate() {
        let others = u32::try_from(wishes.len() - done).unwrap_or(u32::MAX);
        shares[at] = wishes[at].min(left / others).max(1);
        left = left.saturating_sub(shares[at]);
    }
    shares
}

/// What one manager uses of the limits over all.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    now: ManagerLimits,
    /// Since when more has been free, and how much all that time.
    more: Option<(Instant, ManagerLimits)>,
}

impl Share {
    /// Of a manager that has just started: next to nothing, until it has looked.
    pub fn least() -> Self {
        Self { now: ManagerLimits { connecting: 1, working: 1, per_second: 1, tasks: 1 }, more: None }
    }

    /// What may be used now.
    pub fn now(&self) -> ManagerLimits {
        self.now
    }

    /// A look at the database showed this share. Less holds at once, more after a lease; at once when nobody else
    /// could be using it.
    pub fn look(&mut self, shown: ManagerLimits, nobody_else: bool, now: Instant, lease: Duration) {
        if nobody_else {
            (self.now, self.more) = (shown, None);
            return;
        }
        let free = self.more.map_or(shown, |(_, before)| least_of(before, shown));
        self.now = least_of(self.now, shown);
        if free == self.now {
            self.more = None;
            return;
        }
        let since = self.more.map_or(now, |(since, _)| since);
        if now.saturating_duration_since(since) < lease {
            self.more = Some((since, free));
            return;
        }
        self.now = free;
        self.more = (free != shown).then_some((now, shown));
    }
}

fn least_of(a: ManagerLimits, b: ManagerLimits) -> ManagerLimits {
    let (mut least, mut other) = (a, b);
    for (field, _) in FIELDS {
        let b = *field(&mut other);
        let a = field(&mut least);
        *a = b.min(*a);
    }
    least
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn own(each: u32) -> ManagerLimits {
        ManagerLimits { connecting: each, working: each, per_second: each, tasks: each }
    }

    fn all(each: u32) -> AllLimits {
        AllLimits { connecting: Some(each), working: Some(each), per_second: Some(each), tasks: Some(each) }
    }

    #[test]
    fn what_one_does_not_wish_goes_to_the_others() {
        assert_eq!(divided(100, &[10, 200, 200]), [10, 45, 45]);
        assert_eq!(divided(5, &[64, 64]), [2, 3]);
        assert_eq!(divided(1_000, &[64, 64]), [64, 64]);
        assert_eq!(divided(1, &[64, 64]), [1, 1]);
        let only_tasks = AllLimits { tasks: Some(4), ..AllLimits::default() };
        assert_eq!(only_tasks.shares(&[own(64), own(64)]), [ManagerLimits { tasks: 2, ..own(64) }; 2]);
        assert_eq!(AllLimits::default().shares(&[own(7)]), [own(7)]);
    }

    #[test]
    fn limits_out_of_range_are_named() {
        assert_eq!(all(5).wrong(), None);
        assert_eq!(AllLimits { tasks: Some(0), ..all(5) }.wrong(), Some(("tasks", 0)));
        assert_eq!(AllLimits { working: Some(ALL_MAX + 1), ..all(5) }.wrong(), Some(("working", ALL_MAX + 1)));
    }

    #[test]
    fn less_holds_at_once_and_more_after_a_lease_that_showed_it_all_the_time() {
        let (lease, begun) = (Duration::from_secs(30), Instant::now());
        let at = |s| begun + Duration::from_secs(s);
        let mut share = Share::least();
        share.look(own(8), true, at(0), lease);
        assert_eq!(share.now(), own(8), "nobody else is there");
        share.look(own(4), false, at(5), lease);
        assert_eq!(share.now(), own(4));
        share.look(own(8), false, at(10), lease);
        share.look(own(6), false, at(20), lease);
        share.look(own(8), false, at(39), lease);
        assert_eq!(share.now(), own(4));
        share.look(own(8), false, at(40), lease);
        assert_eq!(share.now(), own(6), "the least of what was free for a lease");
        share.look(own(8), false, at(70), lease);
        assert_eq!(share.now(), own(8));
    }

    /// A manager of the property below: its last look, its share, and when it came.
    struct One {
        looked: u64,
        came: u64,
        share: Share,
    }

    proptest! {
        #[test]
        fn shares_never_exceed_the_limit_nor_the_wish_and_waste_nothing(
            limit in 1u32..2_000, wishes in prop::collection::vec(1u32..500, 1..12),
        ) {
            let shares = divided(limit, &wishes);
            let count = u32::try_from(wishes.len()).unwrap();
            let (sum, wished): (u32, u32) = (shares.iter().sum(), wishes.iter().sum());
            prop_assert!(sum <= limit.max(count));
            prop_assert_eq!(sum, wished.min(limit).max(sum.min(count)));
            for (share, wish) in shares.iter().zip(&wishes) {
                prop_assert!((1..=*wish).contains(share));
            }
            // who gets less than it wishes gets no less than anybody else, but for what can't be divided
            let most = *shares.iter().max().unwrap();
            prop_assert!(shares.iter().zip(&wishes).all(|(share, wish)| share == wish || share + 1 >= most));
        }

        /// Managers come, look at any times not further apart than a lease, and die; one that has not looked for a lease
        /// is dead. Whatever they do, what they use together stays below the limit, but for 1 of each newcomer.
        #[test]
        fn managers_that_come_look_and_die_never_use_more_together(
            limit in 8u32..100, steps in prop::collection::vec((0u8..6, 0u8..3, 1u64..15), 1..120),
        ) {
            const LEASE: u64 = 30;
            let begun = Instant::now();
            let (mut now, mut managers) = (0u64, BTreeMap::<u8, One>::new());
            for (who, what, later) in steps {
                now += later;
                // who has not looked for a lease is dead, and uses nothing
                managers.retain(|_, one| now - one.looked <= LEASE);
                if what == 0 {
                    // dies: to the others it is alive until its lease is over, so it keeps its place in the table
                    continue;
                }
                let one = managers.entry(who).or_insert(One { looked: now, came: now, share: Share::least() });
                one.looked = now;
                let alone = managers.len() == 1;
                let living: Vec<u8> = managers.keys().copied().collect();
                let shares = all(limit).shares(&vec![own(64); living.len()]);
                let shown = shares[living.iter().position(|id| *id == who).unwrap()];
                let lease = Duration::from_secs(LEASE);
                managers.get_mut(&who).unwrap().share.look(shown, alone, begun + Duration::from_secs(now), lease);
                let used: u32 = managers.values().map(|one| one.share.now().tasks).sum();
                let newcomers = managers.values().filter(|one| now - one.came <= LEASE).count() as u32;
                prop_assert!(used <= limit + newcomers, "{used} of {limit} at {now}");
            }
        }
    }
}
