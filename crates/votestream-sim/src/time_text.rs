//! How a moment is written into an event: RFC 3339, the election's own pattern in its time zone, or milliseconds.

use crate::options::SimError;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use votestream_election::election::TimeFormat;
use votestream_election::{Election, Millis};

/// How an election's events write a moment.
#[derive(Clone, Debug)]
pub(crate) enum TimeStyle {
    /// `2024-11-06T01:23:45.678Z`.
    Rfc3339,
    /// A pattern, in a time zone.
    Local(String, TimeZone),
    /// Milliseconds since 1970.
    UnixMillis,
}

impl TimeStyle {
    /// The style that the election's mapping asks for; RFC 3339 where it has no time.
    pub(crate) fn new(election: &Election) -> Result<Self, SimError> {
        match &election.mapping.time {
            None | Some((_, TimeFormat::Rfc3339)) => Ok(Self::Rfc3339),
            Some((_, TimeFormat::UnixMillis)) => Ok(Self::UnixMillis),
            Some((_, TimeFormat::Local(pattern))) => {
                let zone = time_zone(election)?;
                let style = Self::Local(pattern.clone(), zone);
                style.write(Millis(0)).map(|_| style).ok_or_else(|| SimError::TimePattern {
                    election: election.id.clone(),
                    pattern: pattern.clone(),
                })
            }
        }
    }

    /// The moment as the event's JSON has it, quotes included.
    pub(crate) fn write(&self, moment: Millis) -> Option<String> {
        let timestamp = Timestamp::from_millisecond(moment.0).ok()?;
        match self {
            Self::Rfc3339 => Some(format!("\"{timestamp:.3}\"")),
            Self::UnixMillis => Some(moment.0.to_string()),
            Self::Local(pattern, zone) => {
                let zoned = timestamp.to_zoned(zone.clone());
                let text = strtime::format(pattern, &zoned).ok()?;
                Some(crate::template::quoted(&text))
            }
        }
    }
}

/// The election's time zone.
pub(crate) fn time_zone(election: &Election) -> Result<TimeZone, SimError> {
    TimeZone::get(&election.time_zone)
        .map_err(|_| SimError::TimeZone { election: election.id.clone(), zone: election.time_zone.clone() })
}

/// Writes ascending moments: the text is kept until the second changes, then only the milliseconds are.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    style: TimeStyle,
    second: i64,
    text: Vec<u8>,
}

impl Clock {
    pub(crate) fn new(style: TimeStyle) -> Self {
        Self { style, second: i64::MIN, text: Vec::new() }
    }

    /// The moment as the event's JSON has it, quotes included.
    #[inline]
    pub(crate) fn text(&mut self, moment: Millis) -> &[u8] {
        let second = moment.0.div_euclid(1_000);
        let keep = second == self.second && !matches!(self.style, TimeStyle::UnixMillis);
        if !keep {
            self.second = second;
            // Moments of an election lie within years that can be written; `null` is valid where none is.
            self.text = self.style.write(moment).unwrap_or_else(|| "null".to_owned()).into_bytes();
        }
        if matches!(self.style, TimeStyle::Rfc3339)
            && let [.., hundreds, tens, ones, b'Z', b'"'] = self.text.as_mut_slice()
        {
            let millis = moment.0.rem_euclid(1_000) as u16;
            *hundreds = b'0' + (millis / 100) as u8;
            *tens = b'0' + (millis / 10 % 10) as u8;
            *ones = b'0' + (millis % 10) as u8;
        }
        &self.text
    }

    /// The longest that a moment's text can be, in bytes.
    pub(crate) fn text_max(&self) -> usize {
        // Months and weekdays by name differ in length, a year has at most six places more.
        self.style.write(Millis(1_730_851_200_000)).map_or(4, |text| text.len()) + 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_alike_whatever_came_before() {
        let mut clock = Clock::new(TimeStyle::Rfc3339);
        for (moment, expect) in [
            (1_730_856_225_678, "\"2024-11-06T01:23:45.678Z\""),
            (1_730_856_225_007, "\"2024-11-06T01:23:45.007Z\""),
            (1_730_856_226_000, "\"2024-11-06T01:23:46.000Z\""),
            (-1, "\"1969-12-31T23:59:59.999Z\""),
        ] {
            assert_eq!(std::str::from_utf8(clock.text(Millis(moment))).unwrap(), expect);
        }
    }

    #[test]
    fn local_time_is_that_of_the_zone() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let style = TimeStyle::Local("%Y-%m-%d %H:%M:%S".into(), zone);
        assert_eq!(style.write(Millis(1_730_856_225_678)).unwrap(), "\"2024-11-05 20:23:45\"");
        assert_eq!(TimeStyle::UnixMillis.write(Millis(5)).unwrap(), "5");
    }
}
