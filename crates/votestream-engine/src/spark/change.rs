//! Changing the engine of a running election: seen voters out of the store into files when Apache Spark takes over, and back into the store
//! when the native engine is to go on. Voters are copied first; then one transaction of the store, under the fences of a takeover of all
//! partitions, names the copy and drops the original. A copy that none names is swept like what any attempt left.

use super::commit::{committed, ours};
use super::sealing::STEP_OFFSETS;
use super::{Epochs, Worker, check_states, sweep};
use crate::count::{CountOptions, may_pass, patiently, prepare};
use crate::sealing::Sealer;
use crate::{EngineError, Shutdown};
use std::time::{Duration, Instant};
use votestream_election::delta::{Engine, Fence, PartitionState, Pin, Progress, SeenPart, VoterFile};
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::SeenVoter;
use votestream_election::seen::{Unpacked, pack, unpack};
use votestream_election::{Election, Offset, PartitionId, VoterKey};
use votestream_log::LogReader;
use votestream_store::{EngineChange, NewFiles, SeenReader, StoreError, WriterStore};

/// Voters that are handed over under one attempt.
const HANDED_OVER: usize = 1_000_000;
/// Voters of a partition that are packed together.
const PACKED: usize = 1_000_000;

/// Whether an election has anything that lies outside the store: voters, leaves that are not hashed, or what attempts left.
pub fn lies_outside(election: &Election, store: &WriterStore) -> Result<bool, EngineError> {
    match store.snapshot(&election.id) {
        Ok(snapshot) => Ok(!snapshot.is_inside() || !store.outside(&election.id)?.attempts.is_empty()),
        Err(StoreError::UnknownElection { .. } | StoreError::NoElection { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Brings an election that Apache Spark has counted back to the native engine: leaves are hashed, voters read back from their files, and
/// one transaction gives all partitions over. What may pass is waited for. Returns the number of voters; `None` when told to stop meanwhile.
pub fn bring_back(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
    epochs: &mut dyn Epochs,
    shutdown: &Shutdown,
) -> Result<Option<u64>, EngineError> {
    let brought = patiently(shutdown, Duration::MAX, may_pass, || {
        let snapshot = store.snapshot(&election.id)?;
        if snapshot.is_inside() {
            sweep(election, store, epochs, snapshot.progress.first().map_or(0, |first| first.epoch))?;
            return Ok(Some(0));
        }
        // Who cannot read them back takes nothing over.
        epochs.open()?;
        let pin = prepare(election, log, store, options)?;
        bring_all_back(election, (log, &pin), (&mut *store, &mut *epochs), options, shutdown)
    })?;
    Ok(brought.flatten())
}

fn bring_all_back(
    election: &Election,
    (log, pin): (&LogReader, &Pin),
    (store, epochs): (&mut WriterStore, &mut dyn Epochs),
    options: &CountOptions,
    shutdown: &Shutdown,
) -> Result<Option<u64>, EngineError> {
    let began = Instant::now();
    let id = &election.id;
    let states = store.take_over(id, &pin.all(), Engine::Spark)?;
    check_states(log, &states)?;
    tracing::info!(
        "the election is brought back from Apache Spark: its leaves are hashed, its voters read back"
    );
    if !seal(election, (log, pin), store, (&states, options), shutdown)? {
        return Ok(None);
    }
    let files = store.outside(id)?.files;
    let mut shelves: Vec<Shelf> = states.iter().map(|_| Shelf::default()).collect();
    epochs.voters(election, &files, &mut |voters| {
        for voter in voters {
            // A partition that there is not shows as one voter less than were counted.
            if let Some(shelf) = shelves.get_mut(voter.partition.0 as usize) {
                shelf.put(voter);
            }
        }
    })?;
    if shutdown.is_raised() {
        return Ok(None);
    }
    let seen: Vec<Vec<SeenPart>> = shelves.into_iter().map(Shelf::packed).collect();
    fail::fail_point!("spark-voters-read", |_| std::process::abort());
    let change = EngineChange::Inside { files: &files, seen: &seen };
    ours(store.change_engine(id, &fences(&states), &change)?)?;
    fail::fail_point!("spark-brought-back", |_| std::process::abort());
    let voters = states.iter().map(|state| state.progress.outside).sum();
    tracing::info!(voters, ms = began.elapsed().as_millis(), "the election is counted natively from here on");
    sweep(election, store, epochs, states.first().map_or(0, |first| first.progress.epoch + 1))?;
    Ok(Some(voters))
}

/// Hashes and commits all leaves that are pending; false when told to stop meanwhile.
fn seal(
    election: &Election,
    (log, pin): (&LogReader, &Pin),
    store: &mut WriterStore,
    (states, options): (&[PartitionState], &CountOptions),
    shutdown: &Shutdown,
) -> Result<bool, EngineError> {
    for state in states {
        let (mut at, next) = (state.progress.hashed_to(), state.progress.next_offset);
        if at == next {
            continue;
        }
        let Some(mut sealer) = Sealer::open(election, log, pin, state, shutdown)? else { return Ok(false) };
        while at < next {
            at = next.min(at.plus(STEP_OFFSETS));
            let Some(seal) = sealer.advance(at, shutdown)? else { return Ok(false) };
            committed(store.seal_ledger(&election.id, &[seal], (options.clock)())?)?;
            fail::fail_point!("spark-sealed", |_| std::process::abort());
        }
    }
    Ok(true)
}

/// Voters of one partition on their way into the store.
#[derive(Default)]
struct Shelf {
    loose: Unpacked,
    packed: Vec<SeenPart>,
}

impl Shelf {
    fn put(&mut self, seen: &SeenVoter) {
        let Unpacked { integers, integer_cells, texts, text_cells } = &mut self.loose;
        match seen.voter {
            VoterKey::Integer(id) => {
                integers.push(id);
                integer_cells.extend(seen.choice.map(|(cell, _)| cell));
            }
            VoterKey::Text(key) => {
                texts.push(key);
                text_cells.extend(seen.choice.map(|(cell, _)| cell));
            }
        }
        if self.loose.len() == PACKED {
            self.pack();
        }
    }

    fn pack(&mut self) {
        self.loose.sort();
        self.packed.extend(pack(&self.loose));
        self.loose.clear();
    }

    fn packed(mut self) -> Vec<SeenPart> {
        self.pack();
        self.packed
    }
}

impl Worker<'_> {
    /// Moves voters that were counted natively to files, and gives all partitions to Apache Spark. False when told to stop meanwhile.
    pub(super) fn move_outside(&mut self, pin: &Pin) -> Result<bool, EngineError> {
        let (began, election) = (Instant::now(), self.election);
        let id = &election.id;
        let states = self.committer.store().take_over(id, &pin.all(), Engine::Native)?;
        check_states(self.log, &states)?;
        tracing::info!("the election was counted natively: its voters are handed over to Apache Spark");
        let epoch = states.first().map_or(0, |first| first.progress.epoch);
        let (mut handed, mut waiting) = (Vec::new(), Vec::new());
        for state in &states {
            let reader = self.committer.store().seen_reader()?;
            let seen = read_seen(election, &reader, state.progress.partition)?;
            for voter in voters(&seen, &state.progress) {
                waiting.push(voter);
                if waiting.len() == HANDED_OVER {
                    self.hand_over(&mut waiting, epoch, &mut handed)?;
                }
                if waiting.is_empty() && self.shutdown.is_raised() {
                    return Ok(false);
                }
            }
        }
        self.hand_over(&mut waiting, epoch, &mut handed)?;
        let files: Vec<NewFiles<'_>> =
            handed.iter().map(|(attempt, files)| NewFiles { attempt: *attempt, files }).collect();
        let change = EngineChange::Outside(&files);
        ours(self.committer.store().change_engine(id, &fences(&states), &change)?)?;
        fail::fail_point!("spark-moved-outside", |_| std::process::abort());
        let voters = states.iter().map(|state| state.progress.counted).sum::<u64>();
        tracing::info!(voters, ms = began.elapsed().as_millis(), "Apache Spark has all voters");
        Ok(true)
    }

    /// Writes voters to files below an attempt of their own.
    fn hand_over(
        &mut self,
        voters: &mut Vec<SeenVoter>,
        epoch: u64,
        handed: &mut Vec<(u128, Vec<VoterFile>)>,
    ) -> Result<(), EngineError> {
        if voters.is_empty() {
            return Ok(());
        }
        let attempt = (self.options.draw)();
        self.committer.begin_attempt(attempt, epoch)?;
        handed.push((attempt, self.epochs.put(self.election, attempt, voters)?));
        fail::fail_point!("spark-handed-over", |_| std::process::abort());
        voters.clear();
        Ok(())
    }
}

/// A partition's voters in the store, everyone once; under `last` with the cell that counts.
fn read_seen(
    election: &Election,
    store: &SeenReader,
    partition: PartitionId,
) -> Result<Unpacked, EngineError> {
    let mut seen = Unpacked::default();
    store.for_each_seen(&election.id, partition, &mut |row| {
        unpack(&row.seen.bytes, &mut seen).map_err(|source| EngineError::Seen { partition, source })
    })?;
    if election.duplicate == DuplicatePolicy::Last {
        // Oldest first: of a voter's cells the last one stays.
        seen.sort();
    }
    Ok(seen)
}

/// The same voters as files have them.
fn voters<'a>(seen: &'a Unpacked, progress: &Progress) -> impl Iterator<Item = SeenVoter> + use<'a> {
    let partition = progress.partition;
    // Whatever is counted from here on was chosen later.
    let at = Offset(progress.next_offset.0.saturating_sub(1));
    let choice = move |cells: &[u32], i: usize| cells.get(i).map(|cell| (*cell, at));
    let integers = seen.integers.iter().enumerate().map(move |(i, id)| SeenVoter {
        voter: VoterKey::Integer(*id),
        partition,
        choice: choice(&seen.integer_cells, i),
    });
    let texts = seen.texts.iter().enumerate().map(move |(i, key)| SeenVoter {
        voter: VoterKey::Text(*key),
        partition,
        choice: choice(&seen.text_cells, i),
    });
    integers.chain(texts)
}

/// The fences under which partitions were taken over.
fn fences(states: &[PartitionState]) -> Vec<Fence> {
    states.iter().map(|state| state.progress.fence()).collect()
}
