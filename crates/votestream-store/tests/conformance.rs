//! SQLite does what every backend must do, and has one writer.

mod support;

use support::Site;
use votestream_store::StoreUrl;

fn in_a_file() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::sqlite(dir.path().join("results.db"));
    Site { url, keep: Box::new(dir) }
}

conformance!(sqlite, super::in_a_file, [a_second_writer_is_refused]);
