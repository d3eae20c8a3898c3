//! `fail-points`: the names of all steps that this build can be made to die at, one a line, for the crash tests.

use crate::Outcome;
use anyhow::Result;
use std::io::Write;

/// Runs the command.
pub fn run() -> Result<Outcome> {
    let mut out = std::io::stdout();
    for point in ALL.concat() {
        writeln!(out, "{point}")?;
    }
    Ok(Outcome::Done)
}

/// The lists of the crates that this build has.
const ALL: &[&[&str]] = &[
    votestream_log::FAIL_POINTS,
    #[cfg(feature = "kafka")]
    votestream_log::KAFKA_FAIL_POINTS,
    votestream_store::FAIL_POINTS,
    votestream_engine::FAIL_POINTS,
    #[cfg(feature = "archive")]
    votestream_archive::FAIL_POINTS,
    #[cfg(feature = "archive")]
    votestream_engine::ARCHIVE_FAIL_POINTS,
    #[cfg(feature = "spark")]
    votestream_store::OUTSIDE_FAIL_POINTS,
    #[cfg(feature = "spark")]
    votestream_engine::SPARK_FAIL_POINTS,
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_is_there_once() {
        let mut names = super::ALL.concat();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
