//! One Parquet file: the rows of one partition over a range of offsets, in offset order. Where it is kept, and whether it exists at
//! all, is the manifest's business.

mod schema;

mod codes;

mod write;

mod read;

mod voters;

pub use read::{FileRows, RowBatch};
pub use schema::{COLUMNS, Column};
pub use write::{FileWriter, Finished};

pub(crate) use codes::Codes;
pub(crate) use voters::{each_voter, voters_file};
