//! A simulation played into the log or onto a stream, at its pace. What the records are is the simulation's business.

use super::batcher::Batcher;
use super::pace::{Pace, Span};
use crate::{EngineError, Shutdown};
use std::io::Write;
use std::time::{Duration, Instant};
use votestream_election::framing::Piece;
use votestream_sim::{Cursor, RecordMeta, Simulation};

/// Records made between two looks at the clock.
const STRIDE: u64 = 4_096;
/// Longest that a record waits for its batch to fill when the pace leaves time.
const LINGER: Duration = Duration::from_millis(5);

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulateSummary {
    /// Records in the whole simulation.
    pub records: u64,
    /// Records appended or written by this run.
    pub appended: u64,
    /// Records that the log already had.
    pub passed: u64,
    /// The simulation was played to its end.
    pub finished: bool,
}

/// Longest wait before looking whether to stop.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// Paces a cursor: how long until the next record is due.
struct Player<'a> {
    cursor: Cursor,
    pace: Pace,
    span: Span,
    began: Instant,
    played: u64,
    /// Where in the night this run begins.
    offset: Duration,
    shutdown: &'a Shutdown,
}

impl<'a> Player<'a> {
    fn new(simulation: &Simulation, from: u64, pace: Pace, shutdown: &'a Shutdown) -> Self {
        let (first, last) = simulation.span();
        let span = Span { first, last };
        let resumed_at = simulation.cursor(from).next_record().map_or(last, |(meta, _)| meta.timestamp);
        let offset =
            if matches!(pace, Pace::Night(_)) { pace.due(0, resumed_at, span) } else { Duration::ZERO };
        Self {
            cursor: simulation.cursor(from),
            pace,
            span,
            began: Instant::now(),
            played: 0,
            offset,
            shutdown,
        }
    }

    /// Hands over the records that are due; `Ok(None)` at the end, else how long until more is due.
    fn play(
        &mut self,
        mut take: impl FnMut(&RecordMeta, &[u8]) -> Result<(), EngineError>,
    ) -> Result<Option<Duration>, EngineError> {
        let now = self.began.elapsed() + self.offset;
        for _ in 0..STRIDE {
            let Some((meta, bytes)) = self.cursor.next_record() else { return Ok(None) };
            take(&meta, bytes)?;
            self.played += 1;
            let due = self.pace.due(self.played, meta.timestamp, self.span);
            if let Some(wait) = due.checked_sub(now).filter(|wait| !wait.is_zero()) {
                return Ok(Some(wait));
            }
        }
        Ok(Some(Duration::ZERO))
    }

    /// Waits until more is due, but no longer than batches may linger; true when told to stop.
    fn wait(&self, until_due: Duration) -> bool {
        if until_due.is_zero() {
            self.shutdown.is_raised()
        } else {
            self.shutdown.wait(until_due.clamp(LINGER, WAIT_MAX))
        }
    }
}

/// Plays into the log, going on where it left off. `progress` is told the index reached.
pub fn simulate_into_log(
    simulation: &Simulation,
    batcher: &mut Batcher,
    pace: Pace,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64)),
) -> Result<SimulateSummary, EngineError> {
    let restart = batcher.restart_at();
    let mut player = Player::new(simulation, restart, pace, shutdown);
    let partitions = batcher.partitions();
    let mut finished = false;
    let mut flushed = Instant::now();
    loop {
        let due = player.play(|meta, bytes| {
            let piece = Piece::of_record(bytes);
            batcher.push(
                meta.index,
                meta.partition(partitions),
                meta.timestamp,
                meta.voter.as_ref().map(|voter| &voter.key[..]),
                piece.bytes,
                piece.oversize,
            )?;
            Ok(())
        })?;
        progress(player.cursor.position());
        let Some(due) = due else {
            finished = true;
            break;
        };
        if !due.is_zero() && (due >= LINGER || flushed.elapsed() >= LINGER) {
            batcher.flush()?;
            flushed = Instant::now();
        }
        if player.wait(due) {
            break;
        }
    }
    batcher.finish()?;
    Ok(SimulateSummary {
        records: simulation.records(),
        appended: batcher.appended(),
        passed: restart + batcher.passed(),
        finished,
    })
}

/// Writes NDJSON. `name` names the output in messages.
pub fn simulate_ndjson(
    simulation: &Simulation,
    (name, out): (&str, &mut dyn Write),
    pace: Pace,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64)),
) -> Result<SimulateSummary, EngineError> {
    let failed = |source| EngineError::Output { name: name.to_owned(), source };
    let mut player = Player::new(simulation, 0, pace, shutdown);
    let mut lines = Vec::with_capacity(1 << 20);
    let mut summary = SimulateSummary { records: simulation.records(), ..SimulateSummary::default() };
    loop {
        let due = player.play(|_, bytes| {
            lines.extend_from_slice(bytes);
            lines.push(b'\n');
            summary.appended += 1;
            Ok(())
        })?;
        out.write_all(&lines).map_err(failed)?;
        lines.clear();
        progress(player.cursor.position());
        let Some(due) = due else {
            summary.finished = true;
            break;
        };
        if !due.is_zero() {
            out.flush().map_err(failed)?;
        }
        if player.wait(due) {
            break;
        }
    }
    out.flush().map_err(failed)?;
    Ok(summary)
}
