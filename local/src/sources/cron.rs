//! `cron(...)` of EventBridge: minutes, hours, day of month, month, day of week and year, in UTC, with `?`, `L`, `W` and `#`.

use std::{collections::BTreeSet, ops::RangeInclusive};

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The times that a cron expression names.
#[derive(Debug)]
pub(super) struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

/// One of the two fields for days; the other is `?`.
#[derive(Debug)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Debug)]
enum DayOfMonth {
    In(BTreeSet<i16>),
    /// `L`
    Last,
    /// `15W`: the weekday of this month that is nearest to the 15th.
    NearestWeekday(i8),
}

/// Sunday is 1.
#[derive(Debug)]
enum DayOfWeek {
    In(BTreeSet<i16>),
    /// `6L`: the last Friday.
    Last(i16),
    /// `6#3`: the third Friday.
    Nth(i16, i8),
}

impl Cron {
    /// Reads the six fields between the parentheses.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err("cron(...) has six fields: minutes, hours, day of month, month, day of week and year".to_owned());
        };
        let days = match (day_of_month, day_of_week) {
            (days, "?") if days != "?" => Days::OfMonth(list(days, DayOfMonth::parse)?),
            ("?", days) if days != "?" => Days::OfWeek(list(days, DayOfWeek::parse)?),
            _ => return Err("one of day of month and day of week must be ?, and the other must not".to_owned()),
        };
        Ok(Self {
            minutes: values(minutes, 0..=59, &[])?,
            hours: values(hours, 0..=23, &[])?,
            days,
            months: values(month, 1..=12, &MONTHS)?,
            years: values(year, 1970..=2199, &[])?,
        })
    }

    /// The first time after `after`, if there is one.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let now = TimeZone::UTC.to_datetime(after);
        let mut date = now.date();
        let mut earliest = Some((i16::from(now.hour()), i16::from(now.minute())));
        let last = *self.years.last()?;
        while date.year() <= last {
            if self.years.contains(&date.year()) && self.months.contains(&i16::from(date.month())) && self.days.contain(date) {
                for &hour in &self.hours {
                    if let Some(&minute) = self.minutes.iter().find(|&&minute| earliest.is_none_or(|earliest| (hour, minute) > earliest)) {
                        // Both are within the range of their field.
                        let time = date.at(hour as i8, minute as i8, 0, 0);
                        return TimeZone::UTC.to_timestamp(time).ok();
                    }
                }
            }
            date = date.tomorrow().ok()?;
            earliest = None;
        }
        None
    }
}

impl Days {
    fn contain(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(days) => days.iter().any(|day| match day {
                DayOfMonth::In(days) => days.contains(&i16::from(date.day())),
                DayOfMonth::Last => date == date.last_of_month(),
                DayOfMonth::NearestWeekday(day) => nearest_weekday(date, *day) == Some(date.day()),
            }),
            Self::OfWeek(days) => {
                let weekday = i16::from(date.weekday().to_sunday_one_offset());
                days.iter().any(|day| match day {
                    DayOfWeek::In(days) => days.contains(&weekday),
                    DayOfWeek::Last(day) => weekday == *day && date.day() + 7 > date.days_in_month(),
                    DayOfWeek::Nth(day, n) => weekday == *day && (date.day() + 6) / 7 == *n,
                })
            }
        }
    }
}

/// The day of this month that is a weekday and nearest to `day`; a month without that day has none.
fn nearest_weekday(month: Date, day: i8) -> Option<i8> {
    let last = month.days_in_month();
    let date = Date::new(month.year(), month.month(), day).ok()?;
    Some(match date.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    })
}

impl DayOfMonth {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "L" {
            return Ok(Self::Last);
        }
        match text.strip_suffix('W') {
            Some(day) => Ok(Self::NearestWeekday(value(day, &(1..=31), &[])? as i8)),
            None => Ok(Self::In(range(text, &(1..=31), &[])?)),
        }
    }
}

impl DayOfWeek {
    fn parse(text: &str) -> Result<Self, String> {
        let day = |text: &str| value(text, &(1..=7), &DAYS);
        if text == "L" {
            return Ok(Self::In(BTreeSet::from([7])));
        }
        if let Some((weekday, n)) = text.split_once('#') {
            return Ok(Self::Nth(day(weekday)?, value(n, &(1..=5), &[])? as i8));
        }
        match text.strip_suffix('L') {
            Some(weekday) => Ok(Self::Last(day(weekday)?)),
            None => Ok(Self::In(range(text, &(1..=7), &DAYS)?)),
        }
    }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(parse).collect()
}

fn values(text: &str, bounds: RangeInclusive<i16>, names: &[&str]) -> Result<BTreeSet<i16>, String> {
    Ok(list(text, |part| range(part, &bounds, names))?.into_iter().flatten().collect())
}

/// `*`, `5`, `1-5`, and any of them with a step: `*/10`, `5/10`, `1-30/10`.
fn range(text: &str, bounds: &RangeInclusive<i16>, names: &[&str]) -> Result<BTreeSet<i16>, String> {
    let (base, step) = match text.split_once('/') {
        Some((base, step)) => (base, Some(value(step, &(1..=*bounds.end()), &[])?)),
        None => (text, None),
    };
    let (from, to) = match base.split_once('-') {
        _ if base == "*" => (*bounds.start(), *bounds.end()),
        Some((from, to)) => (value(from, bounds, names)?, value(to, bounds, names)?),
        None => {
            let from = value(base, bounds, names)?;
            (from, if step.is_some() { *bounds.end() } else { from })
        }
    };
    if from > to {
        return Err(format!("{text}: the range ends before it begins"));
    }
    // The step is at least 1 by its bounds.
    Ok((from..=to).step_by(step.unwrap_or(1) as usize).collect())
}

/// A number, or the name of one: the first name stands for the lowest number.
fn value(text: &str, bounds: &RangeInclusive<i16>, names: &[&str]) -> Result<i16, String> {
    let named = names.iter().zip(bounds.clone()).find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value);
    let digits = || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let value = named.or_else(digits).filter(|value| bounds.contains(value));
    value.ok_or_else(|| format!("{text:?} is not within {} and {}", bounds.start(), bounds.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_times_are_those_of_eventbridge() {
        // Expression, the time after which to look, the times that follow.
        let cases: &[(&str, &str, &[&str])] = &[
            ("0 3 * * ? *", "2026-01-01T02:59:59Z", &["2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"]),
            ("0 3 * * ? *", "2026-01-01T03:00:00Z", &["2026-01-02T03:00:00Z"]),
            ("0/15 * * * ? *", "2026-12-31T23:30:00Z", &["2026-12-31T23:45:00Z", "2027-01-01T00:00:00Z"]),
            ("*/20 8-9 ? * MON-FRI *", "2026-11-20T09:20:00Z", &["2026-11-20T09:40:00Z", "2026-11-23T08:00:00Z"]),
            ("10-30/10 12 1 JAN,jul ? *", "2026-01-01T12:20:00Z", &["2026-01-01T12:30:00Z", "2026-07-01T12:10:00Z"]),
            ("0 0 29 2 ? *", "2024-02-29T00:00:00Z", &["2028-02-29T00:00:00Z"]),
            ("0 0 29 2 ? *", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]),
            ("0 0 31 * ? *", "2026-03-31T00:00:00Z", &["2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z"]),
            ("0 0 L * ? *", "2026-01-31T00:00:00Z", &["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]),
            ("0 0 L 2 ? *", "2027-03-01T00:00:00Z", &["2028-02-29T00:00:00Z"]),
            // 2026-08-15 is a Saturday, 2026-11-15 a Sunday, 2026-12-15 a Tuesday.
            ("0 0 15W 8,11,12 ? 2026", "2026-01-01T00:00:00Z", &["2026-08-14T00:00:00Z", "2026-11-16T00:00:00Z", "2026-12-15T00:00:00Z"]),
            // 2026-08-01 is a Saturday, 2026-05-31 a Sunday: the nearest weekday stays within the month.
            ("0 0 1W 8 ? *", "2026-01-01T00:00:00Z", &["2026-08-03T00:00:00Z"]),
            ("0 0 31W 5,6 ? *", "2026-01-01T00:00:00Z", &["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"]),
            ("0 0 ? * L *", "2026-11-22T00:00:00Z", &["2026-11-28T00:00:00Z"]),
            ("0 0 ? * 6L *", "2026-11-01T00:00:00Z", &["2026-11-27T00:00:00Z", "2026-12-25T00:00:00Z"]),
            ("0 0 ? * FRIL *", "2026-11-01T00:00:00Z", &["2026-11-27T00:00:00Z"]),
            ("0 0 ? * 2#1 *", "2026-11-03T00:00:00Z", &["2026-12-07T00:00:00Z"]),
            ("0 0 ? * SUN#5 *", "2026-11-01T00:00:00Z", &["2026-11-29T00:00:00Z", "2027-01-31T00:00:00Z"]),
            ("0 0 ? * 1 *", "2026-11-22T00:00:00Z", &["2026-11-29T00:00:00Z"]),
            ("0 0 1 1 ? 2030-2040/5", "2026-01-01T00:00:00Z", &["2030-01-01T00:00:00Z", "2035-01-01T00:00:00Z", "2040-01-01T00:00:00Z"]),
        ];
        for (text, after, expected) in cases {
            let cron = Cron::parse(text).unwrap();
            let mut time: Timestamp = after.parse().unwrap();
            for expected in *expected {
                time = cron.next(time).unwrap();
                assert_eq!(time.to_string(), *expected, "{text}");
            }
        }
    }

    #[test]
    fn an_expression_without_a_future_has_no_next_time() {
        for text in ["0 0 1 1 ? 2020", "0 0 30 2 ? *"] {
            assert_eq!(Cron::parse(text).unwrap().next("2026-01-01T00:00:00Z".parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn what_eventbridge_refuses_is_an_error() {
        let texts = [
            "0 3 * * *",
            "0 3 * * ? * *",
            "0 3 * * * *",
            "0 3 ? * ? *",
            "60 3 * * ? *",
            "0 24 * * ? *",
            "0 3 0 * ? *",
            "0 3 32 * ? *",
            "0 3 * 13 ? *",
            "0 3 * FOO ? *",
            "0 3 ? * 8 *",
            "0 3 ? * 2#6 *",
            "0 3 ? * MON#x *",
            "0 3 32W * ? *",
            "0 3 W * ? *",
            "0 3 * * ? 1969",
            "0/0 3 * * ? *",
            "5-1 3 * * ? *",
            "+5 3 * * ? *",
            "? 3 * * ? *",
            "1, 3 * * ? *",
        ];
        for text in texts {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
