//! What the store says that is no part of the domain: outcomes, headings, points of the timeline. What is counted is in
//! `votestream_election::delta`.

use votestream_election::delta::{Counts, SeenPart, VoterFile};
use votestream_election::{Millis, Minute};

/// What `create_or_resume` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The election is new: it is pinned now, nothing is counted.
    Created,
    /// It was there, with the same definition and the same log.
    Resumed,
}

/// An election of the store, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionHead {
    /// Short identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The day of the vote, `YYYY-MM-DD`; absent for an open poll.
    pub date: Option<String>,
    /// Votes are generated, not cast.
    pub simulated: bool,
    /// When it was created in this store, by the wall clock.
    pub created: Millis,
}

/// The election's totals at the end of a minute: each partition's latest row up to it, summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelinePoint {
    /// The minute that these totals close.
    pub minute: Minute,
    /// Cumulative counts.
    pub counts: Counts,
    /// Cumulative votes, region-major: `totals[region * candidates + candidate]`.
    pub totals: Vec<u64>,
}

/// What one call of `compact_seen` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// Nothing worth merging.
    NotDue,
    /// Small rows became fewer, larger ones. More may be due.
    Merged {
        /// Rows before.
        rows_before: u64,
        /// Rows after.
        rows_after: u64,
        /// Packed bytes after.
        bytes: u64,
    },
    /// Somebody else has taken the partition over: nothing was changed.
    Superseded,
}

/// Files of voters that become part of the store with a transaction.
#[derive(Clone, Copy, Debug)]
pub struct NewFiles<'a> {
    /// The attempt that wrote them, begun before.
    pub attempt: u128,
    /// Which they are.
    pub files: &'a [VoterFile],
}

/// Where the voters of an election go when another engine is to count it: of all its partitions at once.
#[derive(Clone, Copy, Debug)]
pub enum EngineChange<'a> {
    /// Out of the store: its rows of seen voters go, and these files, which hold as many voters as votes count, become part of it.
    Outside(&'a [NewFiles<'a>]),
    /// Back into it: the files, which must be all that it names, are part of it no more, and rows come.
    Inside {
        /// Which were read.
        files: &'a [VoterFile],
        /// The voters in them, of each partition in order, everyone once.
        seen: &'a [Vec<SeenPart>],
    },
}

/// What an election keeps outside the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Its files of voters, by path. Others do not exist, whatever lies there.
    pub files: Vec<VoterFile>,
    /// Attempts at writing some, of which no file is named.
    pub attempts: Vec<Attempt>,
}

/// An attempt at writing files of voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its identity.
    pub id: u128,
    /// The epoch of partition 0 under which it was begun; 0: its files were part of the store, and are not any more.
    pub epoch: u64,
}

/// Whether a change of what lies outside was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideChange {
    /// It was.
    Done,
    /// Somebody else has taken the election over, or the files are others: nothing was changed.
    Superseded,
}

/// A store's server and what this login may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// The server's or library's name and version.
    pub server: String,
    /// As whom we are logged in, where there are logins.
    pub login: Option<String>,
    /// Whether the connection is encrypted; `None`: there is no connection.
    pub encrypted: Option<bool>,
    /// The server's clock, where it is another than ours.
    pub now: Option<Millis>,
    /// Why nothing can be written whatever this login's rights: a standby, a read-only database, a file or directory that bars this user.
    pub read_only: Option<&'static str>,
    /// This login may do what `count` does.
    pub may_count: bool,
    /// This login may read what only `count` should: seen voters and unreleased cells.
    pub may_see_voters: bool,
}
