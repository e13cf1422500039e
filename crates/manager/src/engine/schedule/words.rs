//! A cron expression in words that follow "It runs": "every 30 minutes", "Monday to Friday at 09:00". Pure.
//!
//! What people use has words of ours; the rest has those of the cron library, which are right and wooden.

use croner::Cron;

/// Most times of a day, or minutes of an hour, that are listed.
const LISTED_MAX: usize = 6;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Monday, as weeks are spoken of.
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PLACES: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// When the expression is due.
pub(super) fn words(cron: &Cron) -> String {
    ours(cron).unwrap_or_else(|| {
        let told = cron.describe();
        let mut rest = told.trim_end_matches('.').chars();
        rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
    })
}

/// When on a day.
enum Within {
    /// Again and again: "every 15 minutes".
    Again(String),
    /// At times of the clock: "03:00 and 15:00".
    At(String),
}

fn ours(cron: &Cron) -> Option<String> {
    let pattern = &cron.pattern;
    let within = within_a_day(
        &plain(pattern.minutes.has_modifiers(), pattern.minutes.values())?,
        &plain(pattern.hours.has_modifiers(), pattern.hours.values())?,
    )?;
    let months = plain(pattern.months.has_modifiers(), pattern.months.values())?;
    let days = days(cron, &months)?;
    Some(match (within, days) {
        (Within::Again(again), None) => again,
        (Within::Again(again), Some(days)) => {
            let days = days.strip_prefix("every ").map_or_else(|| days.clone(), |days| format!("on {days}"));
            format!("{again}, {days}")
        }
        (Within::At(times), days) => format!("{} at {times}", days.as_deref().unwrap_or("every day")),
    })
}

/// The values of a field, when it has no `L`, `W` or `#`.
fn plain(has_modifiers: bool, values: Vec<u16>) -> Option<Vec<u16>> {
    (!has_modifiers && !values.is_empty()).then_some(values)
}

fn within_a_day(minutes: &[u16], hours: &[u16]) -> Option<Within> {
    let again = |text: String| Some(Within::Again(text));
    let every_hour = hours.len() == 24;
    match (minutes, every(hours, 24)) {
        ([0], Some(1)) => return again("every hour".to_owned()),
        ([0], Some(step)) => return again(format!("every {step} hours")),
        _ if !every_hour && minutes.len() * hours.len() <= LISTED_MAX => {
            let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| clock(*hour, *minute)));
            return Some(Within::At(listed(times.collect())));
        }
        ([minute], Some(step)) if step > 1 => return again(format!("every {step} hours at minute {minute}")),
        _ => {}
    }
    let in_hour = match (minutes, every(minutes, 60)) {
        (_, Some(1)) => "every minute".to_owned(),
        (_, Some(step)) => format!("every {step} minutes"),
        ([_], _) if !every_hour => "every hour".to_owned(),
        ([minute], _) => format!("every hour at minute {minute}"),
        _ if minutes.len() <= LISTED_MAX => {
            format!("every hour at minutes {}", listed(minutes.iter().map(u16::to_string).collect()))
        }
        _ => return None,
    };
    if every_hour {
        return again(in_hour);
    }
    let (first, last) = range(hours)?;
    let (first, last) = (clock(first, *minutes.first()?), clock(last, *minutes.last()?));
    again(format!("{in_hour} from {first} to {last}"))
}

/// Which days; `Some(None)` for all of them, `None` for what has no plain words.
fn days(cron: &Cron, months: &[u16]) -> Option<Option<String>> {
    let pattern = &cron.pattern;
    let field = |number| pattern.as_str().split_whitespace().nth(number);
    let all_year = months.len() == MONTHS.len();
    let month = if all_year { "each month".to_owned() } else { runs(months, 1, &MONTHS) };
    let season = match range(months) {
        _ if all_year => String::new(),
        Some(_) if months.len() > 2 => format!(" from {month}"),
        _ => format!(" in {month}"),
    };
    Some(match (pattern.is_dom_wildcard(), pattern.is_dow_wildcard()) {
        (true, true) if all_year => None,
        (true, true) => Some(format!("every day{season}")),
        (false, false) => return None,
        (false, true) => match plain(pattern.days.has_modifiers(), pattern.days.values()) {
            Some(days) if days.len() <= LISTED_MAX => {
                Some(format!("on the {} of {month}", listed(days.into_iter().map(ordinal).collect())))
            }
            None if field(2)?.eq_ignore_ascii_case("L") => Some(format!("on the last day of {month}")),
            _ => return None,
        },
        (true, false) => match plain(pattern.days_of_week.has_modifiers(), pattern.days_of_week.values()) {
            Some(days) => weekdays(&days)
                .map(|days| format!("{days}{season}"))
                .or_else(|| (!all_year).then(|| format!("every day{season}"))),
            None => Some(format!("on the {} of {month}", nth_weekday(field(4)?)?)),
        },
    })
}

/// `MON#1` or `5L`: the first Monday, the last Friday.
fn nth_weekday(field: &str) -> Option<String> {
    let (day, place) = match field.split_once('#') {
        Some((day, "L" | "l")) => (day, "last"),
        Some((day, number)) => (day, *PLACES.get(number.parse::<usize>().ok()?.checked_sub(1)?)?),
        None => (field.strip_suffix(['L', 'l'])?, "last"),
    };
    let is_day = |name: &&str| day.len() == 3 && name.to_ascii_uppercase().starts_with(&day.to_ascii_uppercase());
    let by_number = |number: usize| WEEKDAYS.get((number + 6) % 7).copied();
    let name = day.parse::<usize>().ok().filter(|number| *number <= 7).and_then(by_number);
    Some(format!("{place} {}", name.or_else(|| WEEKDAYS.into_iter().find(is_day))?))
}

/// Days of the week; those of the cron library begin with Sunday, which is 0 or 7.
fn weekdays(days: &[u16]) -> Option<String> {
    let mut from_monday: Vec<u16> = days.iter().map(|day| (day + 6) % 7).collect();
    from_monday.sort_unstable();
    from_monday.dedup();
    match from_monday[..] {
        [_, _, _, _, _, _, _] => None,
        [day] => Some(format!("every {}", WEEKDAYS[usize::from(day)])),
        _ => Some(runs(&from_monday, 0, &WEEKDAYS)),
    }
}

/// `Some(n)`: every nth of the `all` values of a field, so that the distance is the same over its end, too.
fn every(values: &[u16], all: u16) -> Option<u16> {
    let count = u16::try_from(values.len()).ok().filter(|count| *count >= 2 && all.is_multiple_of(*count))?;
    let step = all / count;
    values.iter().copied().eq((0..all).step_by(step.into())).then_some(step)
}

/// The first and the last of values without a gap.
fn range(values: &[u16]) -> Option<(u16, u16)> {
    let (first, last) = (*values.first()?, *values.last()?);
    (usize::from(last - first) + 1 == values.len()).then_some((first, last))
}

/// "Monday to Friday", "January, April and July": three or more without a gap are a range.
fn runs(values: &[u16], first: u16, names: &[&str]) -> String {
    let name = |value: u16| names[usize::from(value - first)].to_owned();
    match range(values) {
        Some((from, to)) if values.len() > 2 => format!("{} to {}", name(from), name(to)),
        _ => listed(values.iter().map(|value| name(*value)).collect()),
    }
}

/// "a", "a and b", "a, b and c".
fn listed(mut texts: Vec<String>) -> String {
    let last = texts.pop().unwrap_or_default();
    if texts.is_empty() { last } else { format!("{} and {last}", texts.join(", ")) }
}

fn clock(hour: u16, minute: u16) -> String {
    format!("{hour:02}:{minute:02}")
}

fn ordinal(day: u16) -> String {
    let end = match (day % 10, day % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{day}{end}")
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock;

    #[test]
    fn usual_expressions_read_like_speech() {
        for (cron, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("*/15 * * * *", "every 15 minutes"),
            ("*/30 * * * *", "every 30 minutes"),
            ("0,30 * * * *", "every 30 minutes"),
            ("0 * * * *", "every hour"),
            ("15 * * * *", "every hour at minute 15"),
            ("5,35 * * * *", "every hour at minutes 5 and 35"),
            ("0 */2 * * *", "every 2 hours"),
            ("0 */6 * * *", "every 6 hours"),
            ("30 */2 * * *", "every 2 hours at minute 30"),
            ("30 */12 * * *", "every day at 00:30 and 12:30"),
            ("0 0 * * *", "every day at 00:00"),
            ("20 3 * * *", "every day at 03:20"),
            ("0 3,15 * * *", "every day at 03:00 and 15:00"),
            ("0 9 * * MON-FRI", "Monday to Friday at 09:00"),
            ("0 9 * * 1-5", "Monday to Friday at 09:00"),
            ("0 10 * * 0,6", "Saturday and Sunday at 10:00"),
            ("0 3 * * 0", "every Sunday at 03:00"),
            ("0 3 * * 7", "every Sunday at 03:00"),
            ("0 8 * * MON,WED,FRI", "Monday, Wednesday and Friday at 08:00"),
            ("15 4 1 * *", "on the 1st of each month at 04:15"),
            ("0 0 1,15 * *", "on the 1st and 15th of each month at 00:00"),
            ("0 0 1 1 *", "on the 1st of January at 00:00"),
            ("0 0 1 1,4,7,10 *", "on the 1st of January, April, July and October at 00:00"),
            ("0 3 L * *", "on the last day of each month at 03:00"),
            ("0 3 * * SUN#1", "on the first Sunday of each month at 03:00"),
            ("0 3 * * 5L", "on the last Friday of each month at 03:00"),
            ("*/15 9-17 * * MON-FRI", "every 15 minutes from 09:00 to 17:45, Monday to Friday"),
            ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
            ("0 3 * 6-8 *", "every day from June to August at 03:00"),
            ("*/10 * * * SAT", "every 10 minutes, on Saturday"),
            ("0 8,20 * * *", "every day at 08:00 and 20:00"),
            ("* 4 * * *", "every minute from 04:00 to 04:59"),
            ("0 0 * * 0-6", "every day at 00:00"),
            ("0 */5 * * *", "every day at 00:00, 05:00, 10:00, 15:00 and 20:00"),
            ("0 6 * 1,7 MON", "every Monday in January and July at 06:00"),
            ("*/30 3 * * *", "every day at 03:00 and 03:30"),
            ("0 3 22,23 * *", "on the 22nd and 23rd of each month at 03:00"),
            ("0 3 11,12,13 * *", "on the 11th, 12th and 13th of each month at 03:00"),
        ] {
            assert_eq!(Clock::parse(cron, "UTC").unwrap().words(), words, "`{cron}`");
        }
    }

    #[test]
    fn what_has_no_words_of_ours_is_still_told() {
        for cron in ["*/7 * * * *", "0 0 13 * FRI", "0 0 15W * *", "1,2,3,5,8,13,21 1,2 * * *"] {
            let words = Clock::parse(cron, "UTC").unwrap().words();
            let is_phrase = words.starts_with(char::is_lowercase) && !words.ends_with('.');
            assert!(is_phrase, "`{cron}`: {words}");
        }
    }
}
