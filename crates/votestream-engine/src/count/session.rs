//! One stretch of counting with the same partitions: deciding threads, a committing one, and a look-out for changes. It ends with the
//! log (`until_end`), with the wish to stop, or when other partitions are to be counted; the partitions' state comes back.

use super::assignment::Assignment;
use super::commit::Committer;
use super::decide::Decider;
use super::{CountOptions, CountSummary, Until};
use crate::{EngineError, Shutdown};
use std::collections::BTreeSet;
use std::time::Duration;
use votestream_election::fold::PartitionCount;
use votestream_election::{Election, PartitionId};
use votestream_log::LogReader;

/// How often the look-out sees whether the stretch is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What does not change while counting.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) election: &'a Election,
    pub(super) log: &'a LogReader,
    pub(super) options: &'a CountOptions,
    pub(super) assignment: &'a dyn Assignment,
    pub(super) shutdown: &'a Shutdown,
    pub(super) until: &'a Until,
}

/// What a stretch leaves behind.
pub(super) struct Stretch {
    /// The partitions counted, as far as they are committed.
    pub(super) counts: Vec<PartitionCount>,
    /// Of them those that somebody else has moved: what is remembered of them is of no use.
    pub(super) lost: BTreeSet<PartitionId>,
}

impl Session<'_> {
    /// Counts `counts` until the stretch is over. `generation` is that of the assignment they are from.
    pub(super) fn stretch(
        &self,
        mut counts: Vec<PartitionCount>,
        generation: u64,
        committer: &mut Committer<'_>,
        summary: &mut CountSummary,
    ) -> Result<Stretch, EngineError> {
        // Raised for deciders to flush and return; raised when nobody takes what they seal.
        let (interrupt, deaf, over) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
        committer.stretch_of(&mut counts);
        let (sender, sealed) = std::sync::mpsc::sync_channel(self.options.threads);
        std::thread::scope(|scope| {
            let deciders: Vec<_> = share(counts, self.options.threads)
                .into_iter()
                .map(|share| {
                    let (sender, interrupt, deaf) = (sender.clone(), interrupt.clone(), deaf.clone());
                    let decider = Decider::new(*self, share, interrupt.clone());
                    scope.spawn(move || {
                        let done = decider.run(&sender, &deaf);
                        if done.is_err() {
                            // The others would go on without these partitions, and nobody would learn why.
                            interrupt.raise();
                        }
                        done
                    })
                })
                .collect();
            drop(sender);
            let look_out = scope.spawn(|| self.look_out(generation, &interrupt, &over));
            let committed = committer.run(&sealed, &interrupt, summary);
            if committed.is_err() {
                // Deciders that wait for records must return, too.
                interrupt.raise();
            }
            // Deciders that wait for room must see that nobody will take more.
            deaf.raise();
            drop(sealed);
            let decided: Vec<_> = deciders
                .into_iter()
                .map(|d| d.join().unwrap_or(Err(EngineError::Thread("deciding"))))
                .collect();
            over.raise();
            let looked = look_out.join().unwrap_or(Err(EngineError::Thread("look-out")));
            let lost = committed?;
            let mut counts = Vec::new();
            for share in decided {
                counts.extend(share?);
            }
            looked?;
            Ok(Stretch { counts, lost })
        })
    }

    /// Raises `interrupt` once the assignment is another.
    fn look_out(&self, generation: u64, interrupt: &Shutdown, over: &Shutdown) -> Result<(), EngineError> {
        if !self.assignment.shared() {
            return Ok(());
        }
        while !over.is_raised() {
            match self.assignment.wait_change(generation, LOOK_EVERY) {
                Ok(assigned) if assigned.generation == generation => {}
                Ok(_) => {
                    interrupt.raise();
                    return Ok(());
                }
                Err(error) => {
                    interrupt.raise();
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }
}

/// Deals partitions out to threads.
fn share(counts: Vec<PartitionCount>, threads: usize) -> Vec<Vec<PartitionCount>> {
    let threads = threads.clamp(1, counts.len().max(1));
    let mut shares: Vec<Vec<PartitionCount>> = (0..threads).map(|_| Vec::new()).collect();
    for (i, count) in counts.into_iter().enumerate() {
        shares[i % threads].push(count);
    }
    shares.retain(|share| !share.is_empty());
    shares
}
