//! Points in time, as the API shows and the table sorts them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A UTC time in whole milliseconds; its text is RFC 3339 with three decimals, so that texts sort as times do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// From milliseconds since the Unix epoch; times outside the years 0 to 9999 are clamped to them.
    pub fn from_millis(millis: i64) -> Self {
        const YEAR_0: i64 = -62_167_219_200_000;
        const YEAR_9999_END: i64 = 253_402_207_200_999;
        Self(millis.clamp(YEAR_0, YEAR_9999_END))
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as DynamoDB's time to live and JWT dates count.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time and so many seconds.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The calendar year in UTC.
    pub fn year(self) -> i16 {
        self.zoned().map_or(1970, |time| time.year())
    }

    /// The calendar year and month in UTC.
    pub fn month(self) -> (i16, i8) {
        self.zoned().map_or((1970, 1), |time| (time.year(), time.month()))
    }

    /// When a calendar month of UTC begins.
    pub fn of_month((year, month): (i16, i8)) -> Self {
        let date = jiff::civil::Date::new(year, month, 1).ok();
        let time = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        Self::from_millis(time.map_or(0, |time| time.timestamp().as_millisecond()))
    }

    fn zoned(self) -> Option<jiff::Zoned> {
        jiff::Timestamp::from_millisecond(self.0).ok().map(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(formatter, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_millisecond()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_three_decimals_and_sort_as_times_do() {
        let earlier = Timestamp::from_millis(1_763_820_000_000);
        let later = Timestamp::from_millis(1_763_820_000_001);
        assert_eq!(earlier.to_string(), "2025-11-22T14:00:00.000Z");
        assert!(earlier.to_string() < later.to_string());
        assert_eq!(earlier.to_string().parse::<Timestamp>().unwrap(), earlier);
        assert_eq!((earlier.year(), earlier.month()), (2025, (2025, 11)));
        assert_eq!(Timestamp::of_month((2025, 11)).to_string(), "2025-11-01T00:00:00.000Z");
    }
}
