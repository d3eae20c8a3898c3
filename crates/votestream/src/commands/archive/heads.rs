//! Where the head of an archive's manifest is kept: by the storage itself, or, where that ignores create-if-absent, in a results store.

use anyhow::Result;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use votestream_archive::manifest::chain;
use votestream_archive::place::{HeadedPlace, Heads, KeptHead, Place, PlaceError, Trouble};
use votestream_election::ledger::Digest;
use votestream_store::{ArchiveHead, HeadStore, StoreError, StoreUrl};

/// The storage, safe for several archivers: as it is, or beside a head in `store`.
pub(super) fn guarded(place: Arc<dyn Place>, store: Option<&str>, id: u128) -> Result<Arc<dyn Place>> {
    let Some(store) = store else { return Ok(place) };
    // What is there says how it was begun. Where nothing is, the storage is tried; trouble is told when archiving begins.
    let in_store = match chain::read(&*place) {
        Ok(Some(manifest)) => manifest.identity.head_in_store,
        Ok(None) => !chain::keeps_what_is_there(&*place, id).unwrap_or(true),
        Err(_) => false,
    };
    if !in_store {
        return Ok(place);
    }
    let url: StoreUrl = store.parse()?;
    let archive = place.url();
    let heads = StoredHeads { archive, url: store.to_owned(), store: Mutex::new(HeadStore::open(&url)?) };
    tracing::info!("{} ignores create-if-absent: the manifest's head is kept in {url}", place.url());
    Ok(Arc::new(HeadedPlace::new(place, Box::new(heads))))
}

struct StoredHeads {
    archive: String,
    url: String,
    store: Mutex<HeadStore>,
}

impl fmt::Debug for StoredHeads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHeads").field("archive", &self.archive).finish_non_exhaustive()
    }
}

impl StoredHeads {
    fn with<T>(
        &self,
        act: &'static str,
        work: impl FnOnce(&mut HeadStore) -> Result<T, StoreError>,
    ) -> Result<T, PlaceError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut store).map_err(|error| PlaceError {
            act,
            name: format!("the head of {}", self.archive),
            what: format!("{error} ({})", self.url),
            trouble: if error.is_transient() { Trouble::Away } else { Trouble::Other },
        })
    }
}

impl Heads for StoredHeads {
    fn head(&self) -> Result<Option<KeptHead>, PlaceError> {
        let found = self.with("read", |store| store.head(&self.archive))?;
        Ok(found.map(|ArchiveHead { number, digest, entry }| KeptHead {
            number,
            digest,
            entry: entry.into(),
        }))
    }

    fn advance(&self, from: Option<(u64, Digest)>, to: &KeptHead) -> Result<bool, PlaceError> {
        let KeptHead { number, digest, entry } = to;
        let to = ArchiveHead { number: *number, digest: *digest, entry: entry.to_vec() };
        self.with("move", |store| store.advance(&self.archive, from, &to))
    }
}
