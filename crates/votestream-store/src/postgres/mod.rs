//! The store in a PostgreSQL database, schema `votestream`: any number of counting workers share it by partition, any number of
//! readers read it. Statements are in `sql/`, migrations in `schema/`. What is shared with other backends is one level up.

mod options;

mod tls;

mod link;

mod migrate;

mod elections;

mod flush;

mod doubt;

mod takeover;

mod raise;

mod check;

mod compact;

mod outside;

mod change;

mod rows;

mod snapshot;

mod history;

mod audit;

mod desk;

mod heads;

mod releases;

mod reads;

mod fault;

use crate::compaction::Group;
use crate::error::StoreError;
use crate::postgres_url::PostgresUrl;
use doubt::Claim;
use elections::Known;
use fault::Fault;
use flush::Base;
use link::Link;
use options::Role;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use votestream_election::Offset;

/// An election's number in this database and a partition.
type Key = (i32, u32);

/// The connection of one counting worker.
pub(crate) struct Writer {
    link: RefCell<Link>,
    known: HashMap<String, Arc<Known>>,
    /// What the next flush of a partition goes on from, so that it reads nothing back. Only trusted under its epoch and next offset.
    bases: HashMap<Key, Base>,
    /// The seen voters' row ranges as committed, of partitions taken over by this writer.
    groups: HashMap<Key, Vec<Group>>,
    /// Partitions of this writer of whose rows nobody knows which there are.
    ungrouped: HashSet<Key>,
    /// Epochs raised by this writer itself, when the answer to a commit was lost.
    claims: HashMap<Key, Claim>,
    /// Flushes of which nobody knows whether they were committed: from, to.
    doubts: HashMap<Key, (Offset, Offset)>,
}

/// A connection for acts of the desk.
pub(crate) struct Desk {
    link: RefCell<Link>,
}

/// A connection that only reads.
pub(crate) struct Reader {
    link: RefCell<Link>,
    state: RefCell<Option<String>>,
}

impl Writer {
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let link = link::apart(|| {
            let mut link = Link::new(url, Role::Count)?;
            migrate::bring_up_to_date(&mut link)?;
            Ok::<_, StoreError>(link)
        })?;
        Ok(Self {
            link: RefCell::new(link),
            known: HashMap::new(),
            bases: HashMap::new(),
            groups: HashMap::new(),
            ungrouped: HashSet::new(),
            claims: HashMap::new(),
            doubts: HashMap::new(),
        })
    }

    pub(crate) fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(self.link.borrow().url())
    }
}

impl Desk {
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let link = current(url, Role::Desk)?;
        Ok(Self { link: RefCell::new(link) })
    }
}

impl Reader {
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let link = current(url, Role::Read)?;
        Ok(Self { link: RefCell::new(link), state: RefCell::default() })
    }
}

/// A connection to a store that is there and up to date.
fn current(url: &PostgresUrl, role: Role) -> Result<Link, StoreError> {
    link::apart(|| {
        let mut link = Link::new(url, role)?;
        migrate::must_be_current(&mut link)?;
        Ok(link)
    })
}

/// A stored value that cannot be.
fn corrupt(what: &'static str) -> Fault {
    Fault::Corrupt(what)
}
