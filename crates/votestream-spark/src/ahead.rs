//! Reading and judging an epoch's records, its own or, while the rest of it is computed, those of the next one: a live epoch waits for the
//! server's planning more than for its processors, and reading needs nothing of what an epoch comes to.

use crate::error::SparkError;
use crate::judge::Judging;
use crate::kept::Kept;
use crate::line::{Line, in_a_thread};
use crate::plan::{EpochPlan, Topic};
use crate::rows;
use crate::session::Session;
use crate::summary::Class;
use crate::views::{JUDGED, TOPIC};
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;
use votestream_election::Offset;
use votestream_election::epoch::{Next, Range};

/// Records that are read and judged.
pub(crate) struct Reading {
    /// The view of them.
    pub(crate) judged: &'static str,
    pub(crate) kept: Kept,
    /// Of valid votes.
    pub(crate) classes: Vec<Class>,
    /// How many records are undecided.
    pub(crate) undecided: u64,
}

/// A reading that was begun ahead.
pub(crate) struct Ahead {
    ranges: Vec<Range>,
    reading: Receiver<Result<Reading, SparkError>>,
}

impl Ahead {
    /// Waits until the next epoch may begin, no longer than the present one is `counted`, and has it read and judged by a thread that nobody
    /// waits for here.
    pub(crate) fn begin(
        next: Next<'_>,
        counted: &Receiver<Infallible>,
        (line, view): (Line, &'static str),
        topic: &Topic,
        judging: &Judging<'_>,
    ) -> Option<Self> {
        let left = next.at.saturating_duration_since(Instant::now());
        if counted.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
        let mut ranges = (next.ranges)()?;
        ranges.retain(|range| !range.is_empty());
        if ranges.is_empty() {
            return None;
        }
        let records: u64 = ranges.iter().map(Range::len).sum();
        tracing::debug!(records, "the next epoch is read ahead");
        let (topic, sql, asked) = (topic.clone(), judging.sql(TOPIC), ranges.clone());
        let reading = in_a_thread(move || line.read(&topic, &asked, sql, view));
        Some(Self { ranges, reading })
    }
}

/// The view for what is read ahead of an epoch whose records are in this one.
pub(crate) fn other_view(judged: &'static str) -> &'static str {
    if judged == JUDGED[0] { JUDGED[1] } else { JUDGED[0] }
}

impl Line {
    fn read(
        &self,
        topic: &Topic,
        ranges: &[Range],
        sql: String,
        view: &'static str,
    ) -> Result<Reading, SparkError> {
        self.open_topic(topic, ranges)?;
        let kept = self.keep("reading and judging", view, sql)?;
        let sql = format!(
            "SELECT partition, id IS NULL AS undecided, minute, m, c, count(*), min(offset) FROM {view} GROUP BY 1, 2, 3, 4, 5"
        );
        let (mut classes, mut undecided) = (Vec::new(), 0);
        for row in self.run_sql("counting what is alike", sql)? {
            let records = rows::count(&row, 5)?;
            if rows::flag(&row, 1)? {
                undecided += records;
                continue;
            }
            classes.push(Class {
                partition: rows::partition(&row, 0)?,
                minute: rows::long(&row, 2)?,
                m: rows::flag(&row, 3)?,
                c: rows::flag(&row, 4)?,
                records,
                first: Offset(rows::count(&row, 6)?),
            });
        }
        Ok(Reading { judged: view, kept, classes, undecided })
    }
}

impl Session {
    /// What is read ahead is not asked for: it may be of a log that was cut back since.
    pub fn forget_ahead(&mut self) {
        if let Some(ahead) = &mut self.ahead {
            // No epoch is of nothing.
            ahead.ranges.clear();
        }
    }

    /// Reads and judges these ranges, or has that done already.
    pub(crate) fn reading(
        &mut self,
        plan: &EpochPlan<'_>,
        judging: &Judging<'_>,
        ranges: &[Range],
    ) -> Result<Reading, SparkError> {
        if let Some(Ahead { ranges: ahead, reading }) = self.ahead.take() {
            // Waited for in any case: what is still being read uses the names of views.
            match self.line.call("reading and judging", move |_| Ok(reading.recv()))? {
                Ok(Ok(reading)) if ahead == ranges => return Ok(reading),
                Ok(Ok(other)) => self.line.let_go(vec![other.kept]),
                // Tried again, it fails again unless it passed.
                Ok(Err(error)) => tracing::debug!(%error, "what was read ahead is read again"),
                Err(_) => {}
            }
        }
        self.line.read(plan.topic, ranges, judging.sql(TOPIC), JUDGED[0])
    }
}
