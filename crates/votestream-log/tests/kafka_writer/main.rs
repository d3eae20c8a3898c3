//! Topics written on real brokers: batches as they are, keys and partitions, acknowledgements, sources resumed, faults of every kind.

mod broker;
#[path = "../kafka_reader/cluster.rs"]
mod cluster;
mod fail_over;
mod faults;
mod kill;
mod proxy;
mod resume;
mod round_trip;
mod support;

/// Who reads where a test's cluster makes URLs.
const READER: votestream_log::ReaderKind = votestream_log::ReaderKind::Native;
