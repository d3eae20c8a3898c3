//! Reading moments: RFC 3339, local patterns in the election's zone, milliseconds since 1970. Whether a moment lies within voting hours
//! is the parser's business.

use crate::election::TimeFormat;
use crate::ids::Millis;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// The first moment of the year 0 and the one after the year 9999, UTC: what milliseconds since 1970 may say.
const YEARS: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;

/// Reads an election's times.
#[derive(Clone, Debug)]
pub(super) enum TimeReader {
    Rfc3339,
    Local(Box<LocalTime>),
    UnixMillis,
}

impl TimeReader {
    /// `zone` is one that the definition has checked.
    pub(super) fn new(format: &TimeFormat, zone: &str) -> Self {
        match format {
            TimeFormat::Rfc3339 => Self::Rfc3339,
            TimeFormat::Local(pattern) => Self::Local(Box::new(LocalTime::new(pattern, zone))),
            TimeFormat::UnixMillis => Self::UnixMillis,
        }
    }

    /// The moment that a text means.
    pub(super) fn text(&mut self, text: &[u8]) -> Option<Millis> {
        match self {
            Self::Rfc3339 => rfc3339(text),
            Self::Local(local) => local.read(text),
            Self::UnixMillis => None,
        }
    }

    /// The moment that a JSON number means, given as written.
    pub(super) fn number(&self, number: &[u8]) -> Option<Millis> {
        let Self::UnixMillis = self else { return None };
        let millis = std::str::from_utf8(number).ok()?.parse().ok()?;
        YEARS.contains(&millis).then_some(Millis(millis))
    }
}

/// RFC 3339, section 5.6: `T`, `t` or a space between date and time, `Z`, `z` or an offset at the end, any number of decimals (those
/// beyond milliseconds are dropped). A leap second, which only ends a month in UTC, is the last millisecond of the second before it.
pub(super) fn rfc3339(text: &[u8]) -> Option<Millis> {
    let (head, mut rest) = text.split_first_chunk::<19>()?;
    if !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let fields = date_time(head)?;
    let mut millis = 0;
    if let Some(decimals) = rest.strip_prefix(b".") {
        let count = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        millis =
            (0..3).fold(0, |n, i| n * 10 + decimals[..count].get(i).map_or(0, |byte| i64::from(byte - b'0')));
        rest = &decimals[count..];
    }
    let offset_minutes = match *rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two([h1, h2])?, two([m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let minute_utc = fields.days * 1440 + fields.hour * 60 + fields.minute - offset_minutes;
    if fields.second < 60 {
        return Some(Millis((minute_utc * 60 + fields.second) * 1000 + millis));
    }
    let ends_a_month = (minute_utc + 1) % 1440 == 0 && day_of_month((minute_utc + 1) / 1440) == 1;
    ends_a_month.then_some(Millis((minute_utc * 60 + 60) * 1000 - 1))
}

/// A date and time of day as written, the date as days since 1970-01-01.
struct Fields {
    days: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

/// `YYYY-MM-DD?HH:MM:SS`, whatever stands between; seconds up to 60.
fn date_time(text: &[u8; 19]) -> Option<Fields> {
    let t = text;
    if [t[4], t[7], t[13], t[16]] != *b"--::" {
        return None;
    }
    let year = two([t[0], t[1]])? * 100 + two([t[2], t[3]])?;
    let (month, day) = (two([t[5], t[6]])?, two([t[8], t[9]])?);
    let (hour, minute, second) = (two([t[11], t[12]])?, two([t[14], t[15]])?, two([t[17], t[18]])?);
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    Some(Fields { days: days_since_1970(year, month, day), hour, minute, second })
}

#[inline]
fn two(digits: [u8; 2]) -> Option<i64> {
    let (tens, ones) = (digits[0].wrapping_sub(b'0'), digits[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. (H. Hinnant, "chrono-compatible low-level date algorithms".)
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The day of the month of a day since 1970-01-01; the inverse of the above, by the same author.
fn day_of_month(days: i64) -> i64 {
    let from_0000_03_01 = days + 719_468;
    let day_of_era = from_0000_03_01.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month_from_march + 2) / 5 + 1
}

/// Reads times without an offset, in one zone. A time that the clock skips is read with the offset before the gap, one that it shows
/// twice with the first: RFC 5545's rule.
#[derive(Clone, Debug)]
pub(super) struct LocalTime {
    pattern: String,
    zone: TimeZone,
    /// The pattern is the one that is read by hand.
    usual: bool,
    /// A day (since 1970-01-01) through which the zone keeps one offset, and that offset in seconds.
    steady: Option<(i64, i64)>,
}

impl LocalTime {
    fn new(pattern: &str, zone: &str) -> Self {
        let found = TimeZone::get(zone).expect("a validated election names a time zone that is known");
        Self { pattern: pattern.to_owned(), zone: found, usual: pattern == "%Y-%m-%d %H:%M:%S", steady: None }
    }

    fn read(&mut self, text: &[u8]) -> Option<Millis> {
        if self.usual
            && let Some(text) = text.as_array::<19>()
            && text[10] == b' '
            && let Some(fields) = date_time(text)
            && fields.second < 60
            && let Some(offset) = self.offset_on(fields.days, text)
        {
            let local = ((fields.days * 24 + fields.hour) * 60 + fields.minute) * 60 + fields.second;
            return Some(Millis((local - offset) * 1000));
        }
        let text = std::str::from_utf8(text).ok()?;
        let read = strtime::parse(&self.pattern, text).ok()?.to_datetime().ok()?;
        if read.year() < 0 {
            return None;
        }
        let moment = self.zone.to_ambiguous_timestamp(read).compatible().ok()?;
        Some(Millis(moment.as_millisecond()))
    }

    /// The zone's offset on a day, where it has but one.
    fn offset_on(&mut self, day: i64, text: &[u8; 19]) -> Option<i64> {
        if let Some((steady, offset)) = self.steady
            && steady == day
        {
            return Some(offset);
        }
        let year = text[..4].iter().fold(0, |n, byte| n * 10 + i16::from(byte - b'0'));
        let (month, date) = (two([text[5], text[6]])? as i8, two([text[8], text[9]])? as i8);
        let at = |hour, minute, second| DateTime::new(year, month, date, hour, minute, second, 0).ok();
        let first = self.zone.to_ambiguous_timestamp(at(0, 0, 0)?).unambiguous().ok()?;
        let last = self.zone.to_ambiguous_timestamp(at(23, 59, 59)?).unambiguous().ok()?;
        let changes = self.zone.following(first).next().is_some_and(|change| change.timestamp() <= last);
        let offset = day * 86_400 - first.as_second();
        if changes || last.as_second() - first.as_second() != 86_399 {
            return None;
        }
        self.steady = Some((day, offset));
        Some(offset)
    }
}
