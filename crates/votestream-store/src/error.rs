//! What can go wrong with a store, in words that say what to do next. Mapping a backend's codes to these is the backend's business.

use std::error::Error as StdError;
use std::io;
use thiserror::Error;
use votestream_election::PartitionId;
use votestream_election::delta::Engine;

/// Why a store refused or failed. `store` is always the store's URL without its password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A URL that is no store's.
    #[error("store {url:?} {why}; write sqlite:PATH or postgres://user@host:port/db")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A backend that this build does not have.
    #[error(
        "store {store:?} needs PostgreSQL, which this small build leaves out; build the full one with `make build` (target/release/votestream), or use sqlite:PATH"
    )]
    NoBackend {
        /// The store's URL.
        store: String,
    },
    /// Nothing is there to read.
    #[error(
        "there is no results store at {store:?}; count into it first (`votestream up` or `votestream count --store {store}`)"
    )]
    Missing {
        /// The store's URL.
        store: String,
    },
    /// A file is there that another program made, or no store at all.
    #[error(
        "{store:?} is no results store of votestream ({why}); it is left as it is: name another file with --store"
    )]
    Foreign {
        /// The store's URL.
        store: String,
        /// What was found instead.
        why: String,
    },
    /// Made by a newer votestream.
    #[error(
        "the results store {store:?} has schema {found} and this program knows up to {known}; use a newer votestream"
    )]
    Newer {
        /// The store's URL.
        store: String,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// Made by an older votestream and only opened for reading.
    #[error(
        "the results store {store:?} has schema {found} and this program reads schema {known}; open it once with `votestream count` to bring it up to date"
    )]
    Older {
        /// The store's URL.
        store: String,
        /// Its schema.
        found: u32,
        /// The schema read here.
        known: u32,
    },
    /// Another process counts into it.
    #[error("{holder} already counts into {store:?}; stop it, or choose another store with --store")]
    Locked {
        /// The store's URL.
        store: String,
        /// Who, as far as the lock file says.
        holder: String,
    },
    /// Its place cannot be written to.
    #[error("cannot write the results store {store:?}; give it a directory that may be written to")]
    NotWritable {
        /// The store's URL.
        store: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open the results store {store:?}; look at its path and at the rights of its directory")]
    Open {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No room is left. Nothing of the transaction is kept; counting goes on once there is room.
    #[error(
        "no space is left for the results store {store:?}; nothing is lost: free some, and counting goes on"
    )]
    Full {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Somebody else held it too long.
    #[error("the results store {store:?} is busy: another process holds it; nothing is lost, try again")]
    Busy {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Reading or writing failed below. Nothing of the transaction is kept.
    #[error(
        "the results store {store:?} cannot be read or written now; nothing counted is lost: look at its disk"
    )]
    Io {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A server that cannot be reached, or did not answer in time. What was not committed is in the log.
    #[error(
        "the results store {store:?} cannot be reached now; nothing counted is lost: see whether it runs, and answers under this host and port"
    )]
    Unreachable {
        /// The store's URL.
        store: String,
        /// What the backend or the system said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A server that takes no writes now: a standby, or set to read only.
    #[error(
        "the results store {store:?} is read-only now (a standby, or default_transaction_read_only); nothing is lost: name the primary, or let it take writes"
    )]
    ReadOnly {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A server that will not have us: waiting does not cure it.
    #[error("the results store {store:?} cannot be used: {why}")]
    Refused {
        /// The store's URL.
        store: String,
        /// What is wrong and what to do.
        why: String,
        /// What the backend or the system said.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// Its bytes are damaged.
    #[error(
        "the results store {store:?} is damaged; the votes are safe in the log: move the file away and count them again"
    )]
    Corrupt {
        /// The store's URL.
        store: String,
        /// What the backend said, or which value cannot be.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The backend refused a statement: a fault of this program.
    #[error("the results store {store:?} refused a statement; please report this")]
    Statement {
        /// The store's URL.
        store: String,
        /// What the backend said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Nothing was ever counted into it.
    #[error("the results store {store:?} holds no election yet; count into it first")]
    NoElection {
        /// The store's URL.
        store: String,
    },
    /// Not the election that was asked for.
    #[error("the results store {store:?} holds no election {id:?}; it holds {known}: choose with --election")]
    UnknownElection {
        /// The store's URL.
        store: String,
        /// As asked.
        id: String,
        /// The ids it holds, quoted, with commas.
        known: String,
    },
    /// More than one, and none was named.
    #[error("the results store {store:?} holds several elections, {known}; choose with --election")]
    AmbiguousElection {
        /// The store's URL.
        store: String,
        /// The ids it holds, quoted, with commas.
        known: String,
    },
    /// What was pinned when the election was created is not what is given now.
    #[error(
        "election {election:?} was begun with {what} {stored} and is given {given} now; give what it was begun with, start a new store, or drop what was counted with `votestream recount --from-scratch`"
    )]
    Pinned {
        /// The election's id.
        election: String,
        /// Which pinned thing: `definition candidates[0].name`, `log`, `partitions`, …
        what: String,
        /// As pinned.
        stored: String,
        /// As given.
        given: String,
    },
    /// Two partitions agree with different partitioners, so that no one rule explains where voters are.
    #[error(
        "no partitioner explains where the voters of election {election:?} are: a voter may be on two partitions; count a routed copy with --route"
    )]
    Partitioners {
        /// The election's id.
        election: String,
    },
    /// A partition that the election's log does not have.
    #[error("election {election:?} has partitions 0 to {last}, and {partition} is none of them")]
    UnknownPartition {
        /// The election's id.
        election: String,
        /// As asked.
        partition: PartitionId,
        /// The last one there is.
        last: u32,
    },
    /// A region code that the election does not name.
    #[error("election {election:?} has no region {region:?}; it has {known}")]
    UnknownRegion {
        /// The election's id.
        election: String,
        /// As asked.
        region: String,
        /// The codes it has, or the first of them.
        known: String,
    },
    /// A sealed delta that does not add up: a fault of the counting loop. Nothing is committed.
    #[error(
        "a flush of partition {partition} does not add up: {what} is {found} and must be {expected}; please report this"
    )]
    Unbalanced {
        /// Which partition.
        partition: PartitionId,
        /// What was summed.
        what: &'static str,
        /// What it came to.
        found: i128,
        /// What it must come to.
        expected: i128,
    },
    /// Stored rows that do not add up: nothing more is counted on top of them.
    #[error(
        "partition {partition} of election {election:?} does not add up in the store: {what} is {found} and must be {expected}; count again with `votestream recount --from-scratch`"
    )]
    Inconsistent {
        /// The election's id.
        election: String,
        /// Which partition.
        partition: PartitionId,
        /// What was summed.
        what: &'static str,
        /// What it came to.
        found: i128,
        /// What it must come to.
        expected: i128,
    },
    /// The engine that asks would not find all voters where it looks for them.
    #[error("election {election:?} is counted {}", instead(*asked))]
    OtherEngine {
        /// The election's id.
        election: String,
        /// Which engine asks.
        asked: Engine,
    },
    /// The files of voters outside the store are not those that were committed.
    #[error(
        "the files of voters of election {election:?} do not add up in the store: they hold {found} voters and must hold {expected}; count again with `votestream recount --from-scratch`"
    )]
    Files {
        /// The election's id.
        election: String,
        /// Voters in the files that the store names.
        found: u64,
        /// Voters who lie outside, by the partitions.
        expected: u64,
    },
}

impl StoreError {
    /// Refuses rows of a partition that do not come to what they must.
    pub(crate) fn rows(
        election: &str,
        partition: PartitionId,
        what: &'static str,
        (found, expected): (u64, u64),
    ) -> Result<(), Self> {
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (found.into(), expected.into());
        Err(Self::Inconsistent { election: election.to_owned(), partition, what, found, expected })
    }

    /// Refuses files of voters that do not hold as many as they must.
    pub(crate) fn files(election: &str, found: u64, expected: u64) -> Result<(), Self> {
        if found == expected {
            return Ok(());
        }
        Err(Self::Files { election: election.to_owned(), found, expected })
    }

    /// Waiting may cure it: nothing was committed, the same call may be made again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::Busy { .. }
                | Self::Io { .. }
                | Self::Unreachable { .. }
                | Self::ReadOnly { .. }
        )
    }

    /// A server is there and cannot take us yet: it starts, stops, recovers, or has no connection left.
    pub fn is_not_ready(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Unreachable { source, .. } => source
                .downcast_ref::<tokio_postgres::Error>()
                .is_some_and(|error| error.as_db_error().is_some()),
            _ => false,
        }
    }
}

/// How an election is counted that the engine that asks cannot go on with, and what to do.
fn instead(asked: Engine) -> &'static str {
    match asked {
        Engine::Native => {
            "on Apache Spark, with its seen voters in files outside the store: go on with --engine spark, bring it back with `votestream count --engine native --remote sc://host:15002` and the same --log, --store and --seen (in a build with Spark), or count it anew with `votestream recount --from-scratch`"
        }
        Engine::Spark => {
            "natively, with its seen voters in the store: stop every worker that counts it, and then begin again with `votestream count --engine spark`, which moves them to files"
        }
    }
}

/// Ids as messages list them: quoted, with commas; long lists are cut.
pub(crate) fn list<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let rest = ids.len().saturating_sub(SHOWN);
    let mut text = ids.take(SHOWN).map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ");
    if rest > 0 {
        text = format!("{text} and {rest} more");
    }
    text
}
