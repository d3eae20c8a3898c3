//! Publishing demographics: what may be published is decided in the domain, and committed here.

use crate::EngineError;
use votestream_election::releases;
use votestream_election::results::is_complete;
use votestream_election::{Election, Millis, Minute};
use votestream_store::WriterStore;

/// Whether the election has anything to publish beside its results.
pub(crate) fn has_demographics(election: &Election) -> bool {
    election.layout().genders * election.layout().bands > 1
}

/// Publishes what may be published as of a minute; the store's sequence after it, if anything was.
pub(crate) fn publish(
    store: &mut WriterStore,
    election: &Election,
    minute: Minute,
    now: Millis,
) -> Result<Option<u64>, EngineError> {
    let complete = is_complete(election, &store.snapshot(&election.id)?);
    let live = store.full_cells(&election.id)?;
    let previous = store.demographics(&election.id)?;
    let blocks = releases::plan(&previous, &live, election, complete);
    if blocks.is_empty() {
        return Ok(None);
    }
    Ok(Some(store.release(&election.id, &blocks, minute, now)?))
}
