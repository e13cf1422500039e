//! Quiet hours: messages wait until they are over.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;
use crate::pool::SettingError;

/// When nobody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`; when it is not after `from`, it is on the next day.
    pub until: String,
    /// Such as `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// The whole of Saturday and Sunday, too.
    #[serde(default)]
    pub weekends: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Longest quiet time that is looked through: a weekend with the nights around it.
const DAYS_MAX: usize = 4;

impl QuietHours {
    /// The first part that can't be used.
    pub fn check(&self) -> Result<(), SettingError> {
        let wrong = |field, text: &str| SettingError::new(field, format!("`{text}` is not a time such as 22:00"));
        time(&self.from).ok_or_else(|| wrong("quiet.from", &self.from))?;
        time(&self.until).ok_or_else(|| wrong("quiet.until", &self.until))?;
        if self.from == self.until {
            return Err(SettingError::new("quiet.until", "must differ from `from`"));
        }
        let unknown = || format!("`{}` is not a time zone such as Europe/Berlin", self.time_zone);
        TimeZone::get(&self.time_zone).map(drop).map_err(|_| SettingError::new("quiet.time_zone", unknown()))
    }

    /// When it stops being quiet; `None` when it is not quiet now.
    pub fn ends(&self, now: Time) -> Option<Time> {
        let (from, until) = (time(&self.from)?, time(&self.until)?);
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let mut at = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone);
        let mut quiet = false;
        for _ in 0..=DAYS_MAX * 2 {
            let Some(end) = self.end_of_stretch(&at, from, until) else { break };
            quiet = true;
            at = end;
        }
        quiet.then(|| Time(at.timestamp().as_millisecond()))
    }

    /// The end of the quiet stretch that holds this moment, if one does.
    fn end_of_stretch(&self, at: &Zoned, from: jiff::civil::Time, until: jiff::civil::Time) -> Option<Zoned> {
        let clock = at.time();
        let next_day = || at.date().checked_add(1.day()).ok();
        if self.weekends && matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday) {
            return next_day()?.at(0, 0, 0, 0).to_zoned(at.time_zone().clone()).ok();
        }
        let over_midnight = until <= from;
        let date = match (over_midnight, clock >= from, clock < until) {
            (true, true, _) => next_day()?,
            (true, false, true) | (false, true, true) => at.date(),
            _ => return None,
        };
        date.to_datetime(until).to_zoned(at.time_zone().clone()).ok()
    }
}

fn time(text: &str) -> Option<jiff::civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let number =
        |text: &str| text.parse::<i8>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()));
    jiff::civil::Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quiet(from: &str, until: &str, zone: &str, weekends: bool) -> QuietHours {
        QuietHours { from: from.into(), until: until.into(), time_zone: zone.into(), weekends }
    }

    fn ends(hours: &QuietHours, now: &str) -> Option<String> {
        hours.ends(now.parse().unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn nights_end_in_the_morning_of_their_time_zone() {
        let night = quiet("22:00", "07:00", "Europe/Berlin", false);
        night.check().unwrap();
        // winter: UTC+1
        assert_eq!(ends(&night, "2026-01-10T20:59:59Z"), None);
        assert_eq!(ends(&night, "2026-01-10T21:00:00Z").as_deref(), Some("2026-01-11T06:00:00.000Z"));
        assert_eq!(ends(&night, "2026-01-11T05:59:00Z").as_deref(), Some("2026-01-11T06:00:00.000Z"));
        assert_eq!(ends(&night, "2026-01-11T06:00:00Z"), None);
        // the night in which clocks go forward, to UTC+2
        assert_eq!(ends(&night, "2026-03-28T23:00:00Z").as_deref(), Some("2026-03-29T05:00:00.000Z"));
    }

    #[test]
    fn days_and_weekends() {
        let lunch = quiet("12:00", "13:30", "UTC", true);
        assert_eq!(ends(&lunch, "2026-11-23T12:10:00Z").as_deref(), Some("2026-11-23T13:30:00.000Z"));
        assert_eq!(ends(&lunch, "2026-11-23T11:59:00Z"), None);
        // Saturday; Monday begins at midnight
        assert_eq!(ends(&lunch, "2026-11-21T09:00:00Z").as_deref(), Some("2026-11-23T00:00:00.000Z"));
        let night = quiet("22:00", "06:00", "UTC", true);
        assert_eq!(
            ends(&night, "2026-11-20T23:00:00Z").as_deref(),
            Some("2026-11-23T06:00:00.000Z"),
            "Friday night to Monday"
        );
    }

    #[test]
    fn what_is_no_time_is_named() {
        let field = |hours: QuietHours| hours.check().unwrap_err().field;
        assert_eq!(field(quiet("24:00", "07:00", "UTC", false)), "quiet.from");
        assert_eq!(field(quiet("22:00", "7:00", "UTC", false)), "quiet.until");
        assert_eq!(field(quiet("22:00", "22:00", "UTC", false)), "quiet.until");
        assert_eq!(field(quiet("22:00", "07:00", "Moon/Base", false)), "quiet.time_zone");
    }

    proptest! {
        #[test]
        fn quiet_hours_end_after_now_and_within_days(now in 0i64..4_000_000_000_000, from in 0u8..24, until in 0u8..24, weekends: bool) {
            let hours = quiet(&format!("{from:02}:00"), &format!("{until:02}:30"), "America/New_York", weekends);
            if let Some(end) = hours.ends(Time(now)) {
                prop_assert!(end > Time(now) && end.0 - now < 5 * 24 * 3_600_000, "{end}");
            }
        }
    }
}
