//! Storage that ignores create-if-absent, made safe by a head kept elsewhere and moved by comparison: only who has moved the head puts an
//! entry, and under its number nothing else is ever put. The head holds the entry's bytes, so that whoever comes next can put them.

use super::{Found, Place, PlaceError, Put, Trouble};
use crate::crash::point;
use crate::manifest::entry::{self, Entry};
use bytes::Bytes;
use std::fmt::Debug;
use std::sync::Arc;
use votestream_election::ledger::Digest;

/// The last entry of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHead {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub entry: Bytes,
}

/// Where the head of one archive's manifest is kept.
pub trait Heads: Debug + Send + Sync {
    /// The head; none where none is kept yet.
    fn head(&self) -> Result<Option<KeptHead>, PlaceError>;

    /// Moves it to `to`, where it is `from` (none: where none is kept); says whether it was. Durable when it returns.
    fn advance(&self, from: Option<(u64, Digest)>, to: &KeptHead) -> Result<bool, PlaceError>;
}

/// Storage beside a head.
#[derive(Debug)]
pub struct HeadedPlace {
    place: Arc<dyn Place>,
    heads: Box<dyn Heads>,
}

impl HeadedPlace {
    /// Storage whose manifest's head is kept there.
    pub fn new(place: Arc<dyn Place>, heads: Box<dyn Heads>) -> Self {
        Self { place, heads }
    }

    fn wrong(&self, act: &'static str, name: &str, what: &str) -> PlaceError {
        let url = self.place.url();
        PlaceError { act, name: name.to_owned(), what: format!("{what} ({url})"), trouble: Trouble::Other }
    }

    /// Moves the head to an entry, then puts it.
    fn put_entry(&self, name: &str, number: u64, bytes: Bytes) -> Result<Put, PlaceError> {
        let read = Entry::from_bytes(&bytes).map_err(|error| {
            self.wrong("write", name, &format!("it is no entry of a manifest: {error:?}"))
        })?;
        let to = KeptHead { number, digest: entry::digest(&bytes), entry: bytes };
        let from = number.checked_sub(1).map(|before| (before, read.previous));
        if !self.heads.advance(from, &to)? && self.heads.head()?.as_ref() != Some(&to) {
            return Ok(Put::Exists);
        }
        point("head-moved");
        self.place.put_new(name, to.entry)?;
        Ok(Put::Created)
    }
}

impl Place for HeadedPlace {
    fn url(&self) -> String {
        self.place.url()
    }

    fn hurry(&self) {
        self.place.hurry();
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        match entry::number(name) {
            Some(number) => self.put_entry(name, number, bytes),
            // Any other name is an attempt's own.
            None => self.place.put_new(name, bytes),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        let there = self.place.get(name)?;
        let Some(number) = entry::number(name) else { return Ok(there) };
        let Some(head) = self.heads.head()? else {
            return match there {
                None => Ok(None),
                Some(_) => Err(self.wrong(
                    "read",
                    name,
                    "it is there, and the store keeps no head of this archive; name the store with which it was begun",
                )),
            };
        };
        match there {
            None if number == head.number => {
                // Whoever moved the head had not come to this.
                self.place.put_new(name, head.entry.clone())?;
                Ok(Some(head.entry))
            }
            Some(bytes) if number == head.number && entry::digest(&bytes) != head.digest => {
                let what = format!(
                    "its digest is not {}, which the store keeps for it: it was changed, or written by an archiver that does not use this store",
                    head.digest
                );
                Err(self.wrong("read", name, &what))
            }
            Some(_) if number > head.number => {
                let what = format!(
                    "the store's head of this archive is entry {}: the store is older than the archive, or another one",
                    head.number
                );
                Err(self.wrong("read", name, &what))
            }
            // Put since it was looked for: who moved the head beyond it had read it.
            None if number < head.number => self.place.get(name),
            there => Ok(there),
        }
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        // The head first: entries before it were put before it was moved to it. The other way round, others may move it on twice meanwhile,
        // and an entry between would be missing.
        let told = directory.is_empty() || directory == entry::DIRECTORY;
        let head = if told { self.heads.head()? } else { None };
        let mut found = self.place.list(directory)?;
        if let Some(head) = head {
            let name = entry::name(head.number);
            if !found.iter().any(|found| found.name == name) {
                found.push(Found { name, bytes: head.entry.len() as u64 });
            }
        }
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        self.place.delete(name)
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        self.place.tidy()
    }

    fn width(&self) -> usize {
        self.place.width()
    }

    fn keeps_heads_elsewhere(&self) -> bool {
        true
    }
}
