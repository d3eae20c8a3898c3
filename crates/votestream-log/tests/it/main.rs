//! The log from outside, one scenario a file.

mod support;

mod round_trip;

mod follow;

mod resume;

mod recovery;

mod power_cut;

mod refusals;

mod codec;

mod mutation;

mod golden;

#[cfg(feature = "kafka")]
mod foreign_batches;
