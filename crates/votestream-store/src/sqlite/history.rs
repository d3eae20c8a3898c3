//! The timeline: each partition's cumulative totals minute by minute, summed with the last known carried forward.

use super::fault::Done;
use super::{corrupt, elections, rows};
use crate::pack;
use crate::types::TimelinePoint;
use rusqlite::{Connection, Row};
use votestream_election::delta::Counts;
use votestream_election::{Millis, Minute, PartitionId};

/// A partition at the end of a minute; the totals stay packed.
pub(super) struct Past {
    pub(super) minute: Minute,
    pub(super) counts: Counts,
    pub(super) as_of: Millis,
    pub(super) totals: Vec<u8>,
}

/// The partition's latest row up to a minute.
pub(super) fn past(conn: &Connection, number: i64, partition: PartitionId, at: Minute) -> Done<Option<Past>> {
    let mut statement = conn.prepare_cached(include_str!("sql/timeline_latest.sql"))?;
    let mut rows = statement.query((number, partition.0, at.0))?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Done<Past> {
    Ok(Past {
        minute: Minute(row.get(0)?),
        counts: Counts {
            counted: rows::unsigned(row, 1)?,
            duplicate: rows::unsigned(row, 2)?,
            rejected: rows::unsigned(row, 3)?,
            skipped: rows::unsigned(row, 4)?,
        },
        as_of: Millis(row.get(5)?),
        totals: row.get(6)?,
    })
}

/// One point for each minute, from `from` to `to` inclusive, in which any partition moved.
pub(super) fn timeline(
    conn: &Connection,
    label: &str,
    id: &str,
    from: Option<Minute>,
    to: Option<Minute>,
) -> Done<Vec<TimelinePoint>> {
    let tx = conn.unchecked_transaction()?;
    let election = elections::row(&tx, label, id)?;
    let (from, to) = (from.map_or(i64::MIN, |m| m.0), to.map_or(i64::MAX, |m| m.0));
    let partitions: Vec<PartitionId> = (0..election.partitions).map(PartitionId).collect();
    let mut statements = Vec::with_capacity(partitions.len());
    for _ in &partitions {
        statements.push(tx.prepare_cached(include_str!("sql/timeline_range.sql"))?);
    }
    let mut cursors = Vec::with_capacity(partitions.len());
    for (statement, partition) in statements.iter_mut().zip(&partitions) {
        let mut cursor = Cursor {
            rows: statement.query((election.number, partition.0, from, to))?,
            held: match from.checked_sub(1) {
                Some(before) => past(&tx, election.number, *partition, Minute(before))?,
                None => None,
            },
            next: None,
        };
        cursor.next = cursor.read()?;
        cursors.push(cursor);
    }
    let mut points = Vec::new();
    while let Some(minute) = cursors.iter().filter_map(|c| c.next.as_ref().map(|n| n.minute)).min() {
        for cursor in &mut cursors {
            if cursor.next.as_ref().is_some_and(|n| n.minute == minute) {
                cursor.held = std::mem::replace(&mut cursor.next, cursor.rows.next()?.map(read).transpose()?);
            }
        }
        points.push(sum(minute, cursors.iter().filter_map(|c| c.held.as_ref()))?);
    }
    Ok(points)
}

/// One partition's rows, read as the minutes go on.
struct Cursor<'s> {
    rows: rusqlite::Rows<'s>,
    /// The row that holds at the current minute.
    held: Option<Past>,
    next: Option<Past>,
}

impl Cursor<'_> {
    fn read(&mut self) -> Done<Option<Past>> {
        self.rows.next()?.map(read).transpose()
    }
}

fn sum<'a>(minute: Minute, partitions: impl Iterator<Item = &'a Past>) -> Done<TimelinePoint> {
    let mut point = TimelinePoint { minute, counts: Counts::default(), totals: Vec::new() };
    for past in partitions {
        point.counts.add(&past.counts);
        pack::add_numbers(&past.totals, &mut point.totals).ok_or_else(|| corrupt("a row of the timeline"))?;
    }
    Ok(point)
}
