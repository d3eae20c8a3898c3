//! The domain: election definitions, events and votes, validation, the tally fold, standings, the exactly-once decisions.
//!
//! **Invariant:** nothing here does I/O, reads a clock, draws a random number or depends on hash order: the same log gives the
//! same tallies, rejects and ledger. What is kept on disk is `votestream-log`'s and `votestream-store`'s business.

pub mod ids;

pub mod election;

pub mod definition;

pub mod electorate;

pub mod framing;

pub mod reject;

pub mod voter;

pub mod event;

pub mod cells;

pub mod base64;

pub mod photo;

pub mod partitioner;

pub mod seen;

pub mod ledger;

pub mod delta;

pub mod epoch;

pub mod fold;

pub mod archived;

pub mod recount;

pub mod protocol;

pub mod standings;

pub mod results;

pub mod timeline;

pub mod releases;

pub mod bundle;

pub mod health;

pub use election::Election;
pub use ids::{
    BandIx, CandidateIx, GenderIx, LogId, Millis, Minute, Offset, PartitionId, RegionIx, SourceId,
};
pub use reject::RejectReason;
pub use voter::VoterKey;
