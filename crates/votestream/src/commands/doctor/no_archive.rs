//! `doctor --archive` in a build without archives.

use super::lines::Lines;
use votestream_log::LogReader;

/// Says that there are none.
pub(super) fn check(url: &str, _: Option<&LogReader>, _: bool, lines: &mut Lines) {
    lines.fault(
        format!("archive {url}: this small build leaves archives out"),
        "build the whole one with `make build` (target/release/votestream)",
    );
}
