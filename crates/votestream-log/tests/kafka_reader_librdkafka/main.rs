//! The scenarios of `kafka_reader`, read with `reader=librdkafka`.

#[path = "../kafka_reader/support.rs"]
mod support;

#[path = "../kafka_reader/cluster.rs"]
mod cluster;

#[path = "../kafka_reader/round_trip.rs"]
mod round_trip;

#[path = "../kafka_reader/transactions.rs"]
mod transactions;

#[path = "../kafka_reader/values.rs"]
mod values;

#[path = "../kafka_reader/follow.rs"]
mod follow;

#[path = "../kafka_reader/topics.rs"]
mod topics;

#[path = "../kafka_reader/compaction.rs"]
mod compaction;

#[path = "../kafka_reader/restart.rs"]
mod restart;

#[path = "../kafka_reader/fail_over.rs"]
mod fail_over;

/// Who reads.
const READER: votestream_log::ReaderKind = votestream_log::ReaderKind::Librdkafka;
