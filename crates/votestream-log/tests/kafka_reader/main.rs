//! Reading topics of a real broker, one scenario a file.

mod support;

mod cluster;

mod round_trip;

mod transactions;

mod values;

mod follow;

mod topics;

mod compaction;

mod restart;

mod fail_over;

/// Who reads; the same scenarios run with librdkafka in `kafka_reader_librdkafka`.
const READER: votestream_log::ReaderKind = votestream_log::ReaderKind::Native;
