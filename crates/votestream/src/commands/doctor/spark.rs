//! Apache Spark: whether its server answers, is of a version that is spoken to, has a Kafka connector that reads the topic, and can write to
//! where seen voters lie.

use super::lines::Lines;
use crate::commands::count::seen_directory;
use crate::commands::random_wide;
use votestream_log::{LogUrl, java_options};
use votestream_spark::{Attempt, Finding, Limits, Remote, Topic, answers as knock, examine};
use votestream_store::StoreUrl;

const ABOUT: &str = "Apache Spark";

/// Only whether a server answers.
pub(super) fn answers(remote: &str, lines: &mut Lines) {
    if let Some(remote) = read(remote, lines) {
        tell(&knock(&remote, Limits::default()), lines);
    }
}

fn read(remote: &str, lines: &mut Lines) -> Option<Remote> {
    let remote = remote.parse::<Remote>();
    remote.map_err(|error| lines.failure(ABOUT, &error, "give --remote as sc://host:15002")).ok()
}

fn tell(finding: &Finding, lines: &mut Lines) {
    let said = format!("{ABOUT}, {}: {}", finding.what, finding.says);
    if finding.fine {
        lines.well(said);
    } else {
        lines.fault(said, "see docs/spark.md");
    }
}

/// Looks at a server, as `count --engine spark` would use it with this log and store.
pub(super) fn check(
    remote: &str,
    seen: Option<&str>,
    (log, store): (Option<&LogUrl>, Option<&StoreUrl>),
    lines: &mut Lines,
) {
    let Some(remote) = read(remote, lines) else { return };
    let topic = match log {
        Some(LogUrl::Kafka(url)) => match java_options(url) {
            Ok(options) => Some(Topic { name: url.topic.clone(), options }),
            Err(error) => return lines.failure(ABOUT, &error, "mend it, and look again"),
        },
        _ => None,
    };
    let directory = store.and_then(|store| seen_directory(seen, store).ok());
    let directory = directory.as_deref().map(|directory| (directory, Attempt(random_wide())));
    for finding in examine(&remote, Limits::default(), topic.as_ref(), directory) {
        tell(&finding, lines);
    }
}
