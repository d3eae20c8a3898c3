//! A source is told where it stopped: at once from the table, or by reading back, also when it last wrote long ago.

use crate::support::{batch, open, url};
use votestream_election::{PartitionId, SourceId};

#[test]
fn the_last_index_of_each_source_in_each_partition() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 2);
    let [old, new, never] = [SourceId(7), SourceId(8), SourceId(9)];
    let writer = open(&url);
    let handle = writer.handle();
    handle.append(PartitionId(0), batch(0..50, Some(old))).unwrap();
    handle.append(PartitionId(0), batch(50..100, Some(old))).unwrap();
    handle.append(PartitionId(1), batch(100..110, Some(old))).unwrap();
    assert_eq!(writer.resume(old).unwrap(), [Some(99), Some(109)]);
    for n in 0..100 {
        handle.append(PartitionId(0), batch(n * 50..n * 50 + 50, Some(new))).unwrap();
        handle.append(PartitionId(0), batch(n * 50..n * 50 + 50, None)).unwrap();
    }
    let expect = |writer: &votestream_log::LogWriter| {
        assert_eq!(writer.resume(old).unwrap(), [Some(99), Some(109)]);
        assert_eq!(writer.resume(new).unwrap(), [Some(4999), None]);
        assert_eq!(writer.resume(never).unwrap(), [None, None]);
    };
    expect(&writer);
    writer.close().unwrap();
    expect(&open(&url));

    // Without the table, with an old one and with a torn one the log itself tells.
    let table = dir.path().join("log/0/sources");
    let stored = std::fs::read(&table).unwrap();
    std::fs::remove_file(&table).unwrap();
    let writer = open(&url);
    expect(&writer);
    writer.handle().append(PartitionId(0), batch(5000..5050, Some(new))).unwrap();
    assert_eq!(writer.resume(new).unwrap(), [Some(5049), None]);
    drop(writer);
    for torn in [&stored[..stored.len() - 1], b"", b"garbage that is long enough to be a table"] {
        std::fs::write(&table, torn).unwrap();
        let writer = open(&url);
        assert_eq!(writer.resume(old).unwrap(), [Some(99), Some(109)]);
        assert_eq!(writer.resume(new).unwrap(), [Some(5049), None]);
    }
}
