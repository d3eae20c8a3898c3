//! A seeded electorate: real-election presets, the order of the night, and faults with a known answer; used by the demo and by tests.
//!
//! Everything is decided by arithmetic on a record's index: no list of voters is kept, any record can be made on its own, and what
//! counting must come to is known beforehand. Pacing, files, logs and HTTP are left to others.

mod simulation;

mod expected;

mod source;

mod options;

mod faults;

mod target;

mod night;

mod people;

mod encode;

mod template;

mod invalid;

mod lookup;

mod permute;

mod seed;

mod digits;

mod time_text;

pub use expected::Expected;
pub use faults::Faults;
pub use options::{Order, SimError, SimOptions, VOTES_MAX, Votes};
pub use simulation::{Cursor, RecordKind, RecordMeta, Simulation, Voter};
pub use source::{Source, SourceStream};
