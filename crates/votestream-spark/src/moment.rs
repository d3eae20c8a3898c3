//! A vote's moment as SQL, in milliseconds since 1970, where it is beyond doubt; else NULL, and the record is judged elsewhere.

use crate::sql::{text, tree};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use votestream_election::election::TimeFormat;
use votestream_election::{Election, Millis};

/// The one local pattern that is read in SQL.
const USUAL: &str = "%Y-%m-%d %H:%M:%S";
/// RFC 3339 from 1970 to 2199, with quotes around.
const RFC3339: &str = r#"^"(19[7-9]|20[0-9]|21[0-9])[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])"$"#;
const LOCAL: &str = r#"^"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9]"$"#;
/// How far beyond the worker's clock local times are read in SQL: two years.
const AHEAD_S: i64 = 2 * 366 * 86_400;

/// The moment of a record whose field is `field` (absent is the empty text), `record` being the log's; `field` is a column's name.
pub(crate) fn moment(election: &Election, field: Option<&str>, record: &str, now: Millis) -> String {
    let (Some((_, format)), Some(field)) = (&election.mapping.time, field) else { return record.to_owned() };
    let own = match format {
        TimeFormat::Rfc3339 => format!(
            "CASE WHEN {field} RLIKE {} THEN unix_millis(CAST({} AS TIMESTAMP)) END",
            text(RFC3339),
            unquoted(field)
        ),
        TimeFormat::UnixMillis => {
            format!(
                "CASE WHEN CAST(CAST({field} AS BIGINT) AS STRING) = {field} THEN CAST({field} AS BIGINT) END"
            )
        }
        TimeFormat::Local(pattern) if pattern == USUAL => {
            let seconds = format!("unix_seconds(CAST({} AS TIMESTAMP))", unquoted(field));
            match local(&election.time_zone, now, &seconds) {
                Some(offset) => {
                    format!("CASE WHEN {field} RLIKE {} THEN ({seconds} - {offset}) * 1000L END", text(LOCAL))
                }
                None => "CAST(NULL AS BIGINT)".to_owned(),
            }
        }
        TimeFormat::Local(_) => "CAST(NULL AS BIGINT)".to_owned(),
    };
    format!("CASE WHEN {field} IN ('', 'null') THEN {record} ELSE {own} END")
}

fn unquoted(field: &str) -> String {
    format!("substring({field}, 2, length({field}) - 2)")
}

/// A zone's offset in seconds at a local time in seconds, from 1970 on; NULL where the clock skips that time or shows it twice.
fn local(zone: &str, now: Millis, seconds: &str) -> Option<String> {
    let zone = TimeZone::get(zone).ok()?;
    let start = Timestamp::UNIX_EPOCH;
    let end = (now.0.div_euclid(1000)).saturating_add(AHEAD_S);
    let mut offset = i64::from(zone.to_offset(start).seconds());
    let (mut bounds, mut leaves) =
        (vec![offset], vec!["CAST(NULL AS BIGINT)".to_owned(), format!("{offset}L")]);
    for change in zone.following(start) {
        let at = change.timestamp().as_second();
        if at >= end {
            break;
        }
        let next = i64::from(change.offset().seconds());
        if next != offset {
            bounds.extend([at + offset.min(next), at + offset.max(next)]);
            leaves.extend(["CAST(NULL AS BIGINT)".to_owned(), format!("{next}L")]);
            offset = next;
        }
    }
    bounds.push(end + offset);
    leaves.push("CAST(NULL AS BIGINT)".to_owned());
    bounds.is_sorted().then(|| tree(seconds, &bounds, &leaves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_without_changes_has_one_offset() {
        let utc = local("UTC", Millis(0), "s").unwrap();
        assert_eq!(utc.matches("0L").count(), 1, "{utc}");
        assert_eq!(local("Nowhere/Atall", Millis(0), "s"), None);
    }

    #[test]
    fn skipped_and_repeated_hours_are_left_to_others() {
        let sql = local("America/New_York", Millis(1_700_000_000_000), "s").unwrap();
        // 2023-11-05: 02:00 EDT is 06:00 UTC; local 01:00 to 02:00 is shown twice.
        let change = 1_699_164_000;
        for bound in [change - 5 * 3600, change - 4 * 3600] {
            assert!(sql.contains(&format!("s < {bound} ")), "{bound}");
        }
    }
}
