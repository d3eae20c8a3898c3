//! The timeline: each partition's cumulative totals minute by minute, summed with the last known carried forward.

use super::fault::Done;
use super::link::Session;
use super::{elections, rows};
use crate::types::TimelinePoint;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use votestream_election::delta::Counts;
use votestream_election::{Millis, Minute};

/// A partition at the end of a minute.
pub(super) struct Past {
    pub(super) minute: Minute,
    pub(super) counts: Counts,
    pub(super) as_of: Millis,
    pub(super) totals: Vec<u64>,
}

/// The partition's latest row up to a minute.
pub(super) async fn past(session: &Session, number: i32, partition: i32, at: Minute) -> Done<Option<Past>> {
    let sql = include_str!("sql/timeline_latest.sql");
    session.maybe(sql, &[&number, &partition, &at.0]).await?.map(|r| read(&r, 0)).transpose()
}

fn read(row: &Row, first: usize) -> Done<Past> {
    Ok(Past {
        minute: Minute(rows::get(row, first)?),
        counts: Counts {
            counted: rows::unsigned(row, first + 1)?,
            duplicate: rows::unsigned(row, first + 2)?,
            rejected: rows::unsigned(row, first + 3)?,
            skipped: rows::unsigned(row, first + 4)?,
        },
        as_of: Millis(rows::get(row, first + 5)?),
        totals: rows::votes(row, first + 6)?,
    })
}

/// One point for each minute, from `from` to `to` inclusive, in which any partition moved.
pub(super) async fn timeline(
    session: &Session,
    label: &str,
    id: &str,
    from: Option<Minute>,
    to: Option<Minute>,
) -> Done<Vec<TimelinePoint>> {
    session.begin_snapshot().await?;
    let election = elections::row(session, label, id).await?;
    let (from, to) = (from.map_or(i64::MIN, |m| m.0), to.map_or(i64::MAX, |m| m.0));
    // What holds at the current minute, by partition.
    let mut held: BTreeMap<i32, Past> = BTreeMap::new();
    if let Some(before) = from.checked_sub(1) {
        for partition in 0..election.partitions as i32 {
            if let Some(past) = past(session, election.number, partition, Minute(before)).await? {
                held.insert(partition, past);
            }
        }
    }
    let found = session.rows(include_str!("sql/timeline_range.sql"), &[&election.number, &from, &to]).await?;
    session.commit().await?;
    let mut points: Vec<TimelinePoint> = Vec::new();
    let mut found = found.iter().peekable();
    while let Some(row) = found.next() {
        let past = read(row, 1)?;
        let minute = past.minute;
        held.insert(rows::get(row, 0)?, past);
        let more = found.peek().map(|next| rows::get::<i64>(next, 1)).transpose()?;
        if more != Some(minute.0) {
            points.push(sum(minute, held.values())?);
        }
    }
    Ok(points)
}

fn sum<'a>(minute: Minute, partitions: impl Iterator<Item = &'a Past>) -> Done<TimelinePoint> {
    let mut point = TimelinePoint { minute, counts: Counts::default(), totals: Vec::new() };
    for past in partitions {
        point.counts.add(&past.counts);
        rows::add_votes(&past.totals, &mut point.totals)?;
    }
    Ok(point)
}
