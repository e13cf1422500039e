//! When a schedule is due: cron expressions in time zones, and jitter. Pure.
//!
//! Around a change of clocks a fixed time of day comes once: one that the clock skips is done at the
//! end of the gap, one that it shows twice is done the first time. "Every ten minutes" goes on through both.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use p2ppool_model::schedule::{CRON_MAX, Plan, When};
use p2ppool_model::{PoolId, Time};
use p2ppool_store::NextTime;
use sha2::{Digest as _, Sha256};

/// Longest name of a time zone, bytes: the longest of the IANA database has 32.
const ZONE_MAX: usize = 64;
/// Years within which every date of the calendar comes: a fifth Monday in February comes every 28, or 40 around a year
/// such as 2100 that is no leap year.
const YEARS_MAX: i16 = 41;
/// Changes of clocks behind which a search goes on: two a year are usual.
const CHANGES_MAX: usize = 4;

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Clock {
    cron: Cron,
    zone: TimeZone,
}

/// Which field is wrong, and how it would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ClockError {
    /// `cron` or `time_zone`.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Clock {
    /// Reads five fields (minute, hour, day of month, month, day of week) and an IANA time zone.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, ClockError> {
        let wrong = |field, reason| Err(ClockError { field, reason });
        let zone = match zone {
            _ if zone.len() > ZONE_MAX => Err(format!("has more than {ZONE_MAX} bytes")),
            "" => Err("is empty; `UTC` is the one that never changes its clocks".to_owned()),
            _ => TimeZone::get(zone).map_err(|_| {
                let shown: String = zone.chars().take(40).collect();
                format!("`{shown}` is not a time zone of the IANA database, such as UTC or Europe/Berlin")
            }),
        };
        let zone = match zone {
            Ok(zone) => zone,
            Err(reason) => return wrong("time_zone", reason),
        };
        if cron.len() > CRON_MAX {
            return wrong("cron", format!("has more than {CRON_MAX} bytes"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        match parser.parse(cron) {
            Ok(cron) => Ok(Self { cron, zone }),
            Err(why) => wrong(
                "cron",
                format!("`{cron}` is not five fields such as `*/30 * * * *` (minute hour day month weekday): {why}"),
            ),
        }
    }

    /// The first time after `after`; `None` when there never is one (30 February).
    pub fn next(&self, after: Time) -> Option<Time> {
        let after = Timestamp::from_millisecond(after.0).ok()?;
        if !self.has_day(after.to_zoned(self.zone.clone()).date()) {
            return None;
        }
        let find = |from: Timestamp, inclusive| {
            self.cron.find_next_occurrence(&from.to_zoned(self.zone.clone()), inclusive).ok()
        };
        // a search ends early at a day that a zone left out as a whole: it goes on behind that
        let next = find(after, false).or_else(|| {
            let changes = self.zone.following(after).take(CHANGES_MAX);
            changes.map(|change| change.timestamp()).find_map(|from| find(from, true))
        })?;
        Some(Time(next.timestamp().as_millisecond()))
    }

    /// Some day from this one on is one of the expression's: looked for day by day, because the search for a time
    /// would go on until the year 5000.
    fn has_day(&self, from: Date) -> bool {
        let pattern = &self.cron.pattern;
        let is_ours = |date: Date| {
            let (year, month, day) =
                (date.year().into(), date.month().unsigned_abs().into(), date.day().unsigned_abs());
            let weekday = Weekday::from_days_from_sunday(date.weekday().to_sunday_zero_offset().unsigned_abs().into());
            pattern.day_match(year, month, day.into(), weekday).unwrap_or(false)
        };
        let months = from.first_of_month().series(1.month()).take_while(|date| date.year() - from.year() <= YEARS_MAX);
        let ours = months.filter(|month| pattern.month_match(month.month().unsigned_abs().into()).unwrap_or(false));
        ours.flat_map(|month| month.series(1.day()).take(month.days_in_month().unsigned_abs().into()))
            .any(|date| date >= from && is_ours(date))
    }

    /// The first `count` times after `after`.
    pub fn next_times(&self, after: Time, count: usize) -> Vec<Time> {
        std::iter::successors(self.next(after), |at| self.next(*at)).take(count).collect()
    }

    /// In words that follow "It runs": "every Monday at 03:20".
    pub fn words(&self) -> String {
        super::words::words(&self.cron)
    }
}

/// When a plan comes next after `now`. Every manager gets the same answer.
pub fn next_time(plan: &Plan, pool: PoolId, now: Time) -> Result<Option<NextTime>, ClockError> {
    let (at, following) = match &plan.when {
        When::At(at) => (Some(*at).filter(|at| *at > now), None),
        When::Cron(cron) => {
            let clock = Clock::parse(cron, &plan.time_zone)?;
            let at = clock.next(now);
            (at, at.and_then(|at| clock.next(at)))
        }
    };
    Ok(at.map(|at| NextTime { at, due: jittered(plan, pool, at, following) }))
}

/// The next `count` times of a plan that is on, before jitter.
pub fn next_times(plan: &Plan, now: Time, count: usize) -> Vec<Time> {
    match &plan.when {
        _ if !plan.enabled => Vec::new(),
        When::At(at) => Some(*at).filter(|at| *at > now).into_iter().collect(),
        When::Cron(cron) => {
            Clock::parse(cron, &plan.time_zone).map(|clock| clock.next_times(now, count)).unwrap_or_default()
        }
    }
}

/// A time and its share of the jitter, never as late as the time that follows. The share looks random
/// but depends only on pool, purpose and time, so that managers agree and an edit doesn't roll dice again.
fn jittered(plan: &Plan, pool: PoolId, at: Time, following: Option<Time>) -> Time {
    if plan.jitter_s == 0 {
        return at;
    }
    let seed = format!("{pool} {:?} {}", plan.starts, at.0);
    let hash = Sha256::digest(seed.as_bytes());
    let number = hash.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let room = following.map_or(u64::MAX, |next| u64::try_from(next.since(at).as_millis()).unwrap_or(u64::MAX));
    let most = (u64::from(plan.jitter_s) * 1000).min(room.saturating_sub(1));
    at.plus(std::time::Duration::from_millis(number % (most + 1)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use p2ppool_model::Action;
    use p2ppool_model::schedule::{CatchUp, Overlap, Starts};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn clock(cron: &str, zone: &str) -> Clock {
        Clock::parse(cron, zone).unwrap()
    }

    fn plan(cron: &str, zone: &str, jitter_s: u32) -> Plan {
        Plan {
            starts: Starts::Action { action: Action::Crawl, params: serde_json::Value::Null },
            when: When::Cron(cron.into()),
            time_zone: zone.into(),
            jitter_s,
            catch_up: CatchUp::RunOnce,
            overlap: Overlap::Skip,
            enabled: true,
        }
    }

    #[test]
    fn the_next_time_is_after_now() {
        let half_hours = clock("*/30 * * * *", "UTC");
        assert_eq!(half_hours.next(at("2026-11-23T10:29:59Z")), Some(at("2026-11-23T10:30:00Z")));
        assert_eq!(half_hours.next(at("2026-11-23T10:30:00Z")), Some(at("2026-11-23T11:00:00Z")));
        assert_eq!(clock("20 3 * * *", "UTC").next(at("2026-11-23T10:30:00Z")), Some(at("2026-11-24T03:20:00Z")));
        assert_eq!(
            clock("0 9 * * MON", "Asia/Tokyo").next(at("2026-11-23T00:00:00Z")),
            Some(at("2026-11-30T00:00:00Z"))
        );
        assert_eq!(clock("0 0 31 2 *", "UTC").next(Time(0)), None);
    }

    #[test]
    fn rare_days_are_found_and_days_that_never_come_are_not_searched_for() {
        let next = |cron, after| clock(cron, "UTC").next(at(after));
        assert_eq!(next("0 0 29 2 *", "2096-03-01T00:00:00Z"), Some(at("2104-02-29T00:00:00Z")));
        assert_eq!(next("0 0 * 2 MON#5", "2072-03-01T00:00:00Z"), Some(at("2112-02-29T00:00:00Z")));
        let from = at("2026-11-23T10:00:00Z");
        for never in ["0 0 30 2 *", "* * 31 4,6,9,11 *", "0 0 30,31 2 *"] {
            assert_eq!(clock(never, "Europe/Berlin").next(from), None, "`{never}`");
        }
        // whoever searches hour by hour until the year 5000 sees it
        let day = jiff::civil::date(2026, 11, 23);
        assert!(!clock("0 0 30 2 *", "UTC").has_day(day) && clock("0 0 30 2 MON", "UTC").has_day(day));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (cron, zone, field) in [
            ("no cron", "UTC", "cron"),
            ("* * * * * *", "UTC", "cron"),
            ("61 * * * *", "UTC", "cron"),
            ("", "UTC", "cron"),
            ("* * * *", "UTC", "cron"),
            ("* * * * *", "Mars/Olympus", "time_zone"),
            ("* * * * *", "", "time_zone"),
        ] {
            assert_eq!(Clock::parse(cron, zone).unwrap_err().field, field, "`{cron}` in `{zone}`");
        }
        assert_eq!(Clock::parse(&"*".repeat(CRON_MAX + 1), "UTC").unwrap_err().field, "cron");
    }

    #[test]
    fn a_fixed_time_comes_once_on_the_days_when_clocks_change() {
        let berlin = clock("30 2 * * *", "Europe/Berlin");
        // 29 March 2026: 2:00 becomes 3:00; 25 October 2026: 3:00 becomes 2:00
        let spring = berlin.next_times(at("2026-03-28T12:00:00Z"), 2);
        assert_eq!(spring, [at("2026-03-29T01:00:00Z"), at("2026-03-30T00:30:00Z")]);
        let autumn = berlin.next_times(at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(autumn, [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]);
    }

    #[test]
    fn a_one_time_schedule_has_no_second_time() {
        let once = Plan { when: When::At(at("2026-11-23T10:00:00Z")), ..plan("", "UTC", 0) };
        let next = next_time(&once, PoolId(1), at("2026-11-23T09:00:00Z")).unwrap().unwrap();
        assert_eq!(next.at, at("2026-11-23T10:00:00Z"));
        assert_eq!(next_time(&once, PoolId(1), next.at).unwrap(), None);
        assert_eq!(next_times(&once, next.at, 5), []);
    }

    const ZONES: [&str; 7] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ];

    fn zone() -> impl Strategy<Value = &'static str> {
        prop::sample::select(ZONES.to_vec())
    }

    /// Some time between 2000 and 2040.
    fn moment() -> impl Strategy<Value = Time> {
        (946_684_800_000i64..2_208_988_800_000).prop_map(Time)
    }

    #[test]
    fn a_day_that_a_zone_left_out_does_not_end_a_schedule() {
        let samoa = clock("0 0 * * *", "Pacific/Apia");
        let told = samoa.next_times(at("2011-12-28T12:00:00Z"), 3);
        assert_eq!(told, [at("2011-12-29T10:00:00Z"), at("2011-12-30T10:00:00Z"), at("2011-12-31T10:00:00Z")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn a_daily_time_comes_exactly_once_a_day_whatever_clocks_do(
            zone in zone(), start in moment(), hour in 0u8..24, minute in 0u8..60,
        ) {
            let clock = clock(&format!("{minute} {hour} * * *"), zone);
            let times = clock.next_times(start, 200);
            prop_assert_eq!(times.len(), 200);
            prop_assert!(times[0] > start);
            let zone = TimeZone::get(zone).unwrap();
            let day = |time: &Time| Timestamp::from_millisecond(time.0).unwrap().to_zoned(zone.clone()).date();
            for pair in times.windows(2) {
                let days = (day(&pair[1]) - day(&pair[0])).get_days();
                // Samoa left out 30 December 2011 as a whole
                prop_assert!(days == 1 || day(&pair[1]).year() == 2011 && days == 2, "{} then {}", pair[0], pair[1]);
            }
        }

        #[test]
        fn an_interval_goes_on_evenly_through_every_change_of_clocks(zone in zone(), start in moment()) {
            // every zone here is off UTC by a multiple of a quarter of an hour
            let times = clock("*/15 * * * *", zone).next_times(start, 200);
            for pair in times.windows(2) {
                prop_assert_eq!(pair[1].since(pair[0]), Duration::from_secs(900), "{} then {}", pair[0], pair[1]);
            }
        }

        #[test]
        fn jitter_stays_between_a_time_and_the_next_and_everybody_agrees(
            zone in zone(), now in moment(), jitter_s in 0u32..90_000, pool in 1i64..50,
        ) {
            let plan = plan("20 3 * * *", zone, jitter_s);
            let next = next_time(&plan, PoolId(pool), now).unwrap().unwrap();
            prop_assert!(next.at > now && next.at <= next.due);
            prop_assert!(next.due.since(next.at) <= Duration::from_secs(jitter_s.into()));
            let following = next_time(&plan, PoolId(pool), next.at).unwrap().unwrap();
            prop_assert!(next.due < following.at);
            prop_assert_eq!(next_time(&plan, PoolId(pool), now).unwrap(), Some(next));
        }
    }
}
