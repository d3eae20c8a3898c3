//! One epoch of counting on Apache Spark, over Spark Connect: exact ranges of a Kafka topic are read and judged there, each voter's
//! earliest (or latest) vote is kept, voters of earlier epochs are left out, new voters are written as Parquet, and what is counted comes back.
//! It knows Spark and nothing of stores, logs or the engine's loops: who may count, and what becomes of an answer, is for others.
//!
//! **Invariant:** an answer is what `votestream_election`'s own fold says of the same records (`tests/real_server/agreement.rs`). SQL decides only what
//! is a vote beyond doubt; every other record is judged here, by the domain's own rules.

#![allow(
    clippy::result_large_err,
    reason = "the client's own error is large; it is passed on once, by the way of a call"
)]

pub mod remote;

pub mod plan;

pub mod answer;

pub mod error;

pub mod session;

pub mod upkeep;

pub mod examine;

pub mod peer;

mod line;

mod ahead;

mod kept;

mod knock;

mod epoch;

mod views;

mod judge;

mod pattern;

mod names;

mod lookup;

mod moment;

mod hash;

mod undecided;

mod summary;

mod voters;

mod seen;

mod tally;

mod assemble;

mod rows;

mod sql;

pub use answer::{EpochAnswer, Finding, Timing};
pub use error::SparkError;
pub use examine::{answers, examine};
pub use plan::{Attempt, EpochPlan, Limits, Topic};
pub use remote::{Remote, RemoteError};
pub use session::Session;
