//! Query parameters: read strictly, refused by name. An unknown, repeated or ill-formed parameter is a 400 that says what is allowed.

use crate::problem::Problem;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::fmt::Display;
use std::str::FromStr;
use votestream_election::{Millis, Minute};

/// The parameters of one request, each known and given once.
#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a raw query (`a=1&b=2`); every name must be among `known`.
    pub fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if !known.contains(&name.as_str()) {
                let allowed = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
                return Err(Problem::parameter(
                    &name,
                    format!("there is no parameter \"{name}\" here"),
                    allowed,
                ));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Problem::parameter(
                    &name,
                    format!("\"{name}\" is given twice"),
                    "each parameter once",
                ));
            }
            found.push((name, decode(value)?));
        }
        Ok(Self(found))
    }

    /// The value of a parameter as it was sent; `None` where absent or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// A number between `least` and `most`, both allowed.
    pub fn number<T: FromStr + PartialOrd + Display + Copy>(
        &self,
        name: &str,
        least: T,
        most: T,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<T>() {
            Ok(value) if value >= least && value <= most => Ok(Some(value)),
            _ => Err(Problem::parameter(
                name,
                format!("\"{text}\" is no such number"),
                format!("{least} to {most}"),
            )),
        }
    }

    /// A minute: an RFC 3339 time with an offset, or whole minutes since 1970-01-01T00:00Z.
    pub fn minute(&self, name: &str) -> Result<Option<Minute>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match minute(text) {
            Some(minute) => Ok(Some(minute)),
            None => Err(Problem::parameter(
                name,
                format!("\"{text}\" is no time"),
                "an RFC 3339 time such as 2024-11-06T01:30:00Z (write + as %2B), or whole minutes since 1970",
            )),
        }
    }
}

/// Reads a minute as [`Params::minute`] does.
fn minute(text: &str) -> Option<Minute> {
    // Ten million years are further than any minute that is shown.
    const MINUTES_MAX: i64 = 5_000_000_000;
    if let Ok(whole) = text.parse::<i64>() {
        return (-MINUTES_MAX..=MINUTES_MAX).contains(&whole).then_some(Minute(whole));
    }
    // A `+` that was not escaped arrives as a space.
    let mended = text.trim().replace(' ', "+");
    let time: Timestamp = text.parse().or_else(|_| mended.parse()).ok()?;
    Some(Millis(time.as_millisecond()).minute())
}

/// Percent-decoding of one name or value (`+` is a space, as in forms).
fn decode(text: &str) -> Result<String, Problem> {
    let wrong = || {
        Problem::parameter(
            "query",
            format!("\"{text}\" is not well escaped"),
            "percent-encoded UTF-8, such as New%20York",
        )
    };
    let two_digits = |after: &str| {
        after.as_bytes().first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(two_digits) {
        return Err(wrong());
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(Into::into).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_minute(text: &str, expect: Option<i64>) {
        assert_eq!(minute(text).map(|m| m.0), expect, "{text}");
    }

    #[test]
    fn minutes_are_read_from_times_and_from_numbers() {
        check_minute("0", Some(0));
        check_minute("28847610", Some(28_847_610));
        check_minute("1970-01-01T00:01:59.999Z", Some(1));
        check_minute("1970-01-01T02:00:00+01:00", Some(60));
        check_minute("1970-01-01T02:00:00 01:00", Some(60));
        check_minute("1969-12-31T23:59:59Z", Some(-1));
        check_minute("yesterday", None);
        check_minute("1970-01-01T00:00:00", None);
        check_minute("99999999999999", None);
    }

    #[test]
    fn unknown_repeated_and_broken_parameters_are_named() {
        let problem = Params::parse(Some("hz=4&hertz=4"), &["hz"]).unwrap_err();
        assert_eq!(problem.parameter.as_deref(), Some("hertz"));
        assert_eq!(Params::parse(Some("hz=4&hz=5"), &["hz"]).unwrap_err().status, 400);
        for broken in ["hz=%zz", "hz=%+5", "hz=%", "hz=%4", "hz=%C3", "hz=%é0"] {
            assert_eq!(Params::parse(Some(broken), &["hz"]).unwrap_err().status, 400, "{broken}");
        }
        assert_eq!(
            Params::parse(Some("q=New%20York+City"), &["q"]).unwrap().text("q"),
            Some("New York City")
        );
        let problem = Params::parse(Some("hz=21"), &["hz"]).unwrap().number("hz", 1.0, 20.0).unwrap_err();
        assert_eq!(problem.allowed.as_deref(), Some("1 to 20"));
        assert!(Params::parse(Some("hz=NaN"), &["hz"]).unwrap().number("hz", 1.0, 20.0).is_err());
    }
}
