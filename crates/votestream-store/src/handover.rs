//! Whether an election may change its engine, and what each partition becomes by it. Pure: the rows are read and written by the backends.

use crate::balance::{entries, voters};
use crate::error::StoreError;
use crate::types::EngineChange;
use votestream_election::delta::{Engine, Fence, Progress, SeenPart};

/// What becomes of a partition.
pub(crate) struct Moved<'a> {
    /// Who counts it from now on.
    pub(crate) engine: Engine,
    /// Its voters outside.
    pub(crate) outside: u64,
    /// Its voters inside: the only rows, from its start to its next offset.
    pub(crate) seen: &'a [SeenPart],
}

/// What becomes of all partitions; `None` where a fence does not hold. `progress` are all partitions' rows, under their locks.
pub(crate) fn plan<'a>(
    election: &str,
    progress: &[Progress],
    fences: &[Fence],
    change: &EngineChange<'a>,
) -> Result<Option<Vec<Moved<'a>>>, StoreError> {
    let (left, engine) = match change {
        EngineChange::Outside(_) => (Engine::Native, Engine::Spark),
        EngineChange::Inside { .. } => (Engine::Spark, Engine::Native),
    };
    let holds = |(row, fence): (&Progress, &Fence)| row.fence() == *fence && row.engine == left;
    if progress.len() != fences.len() || !progress.iter().zip(fences).all(holds) {
        return Ok(None);
    }
    let counted = progress.iter().map(|row| row.counted).sum();
    let require = |row: &Progress, what, found, expected| {
        StoreError::rows(election, row.partition, what, (found, expected))
    };
    let mut moved = Vec::with_capacity(progress.len());
    match *change {
        EngineChange::Outside(new) => {
            StoreError::files(election, new.iter().map(|new| voters(new.files)).sum(), counted)?;
            for row in progress {
                require(row, "the number of voters outside", row.outside, 0)?;
                moved.push(Moved { engine, outside: row.counted, seen: &[] });
            }
        }
        EngineChange::Inside { files, seen } => {
            StoreError::files(election, voters(files), counted)?;
            for (at, row) in progress.iter().enumerate() {
                let seen = seen.get(at).map_or(&[][..], Vec::as_slice);
                require(row, "the number of voters in files", entries(seen), row.counted)?;
                require(row, "the number of leaves that are not hashed", row.pending_leaves(), 0)?;
                moved.push(Moved { engine, outside: 0, seen });
            }
        }
    }
    Ok(Some(moved))
}
