//! Acts of the election desk, each its own transaction beside the counting writer, and the sequence they move.

use super::fault::Done;
use super::rows;
use super::{Desk, Writer, corrupt, elections};
use crate::acts;
use crate::pack;
use rusqlite::{Connection, TransactionBehavior};
use votestream_election::delta::{DeskAct, DeskAction};
use votestream_election::{Election, Millis};

impl Desk {
    pub(crate) fn act(
        &mut self,
        id: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Done<DeskAct> {
        act(&mut self.conn, &self.label, id, action, region, now)
    }
}

impl Writer {
    pub(crate) fn act(
        &mut self,
        id: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Done<DeskAct> {
        act(&mut self.conn, &self.label, id, action, region, now)
    }
}

impl Desk {
    pub(crate) fn choose(&self, id: Option<&str>) -> Done<Election> {
        elections::choose(&self.conn, &self.label, id)
    }
}

fn act(
    conn: &mut Connection,
    label: &str,
    id: &str,
    action: DeskAction,
    region: Option<&str>,
    now: Millis,
) -> Done<DeskAct> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let row = elections::row(&tx, label, id)?;
    let election = elections::definition(&row.definition)?;
    let region = region.map(|code| acts::find(&election, code)).transpose()?;
    let counted = counted(&tx, row.number, &election, region)?;
    let region = region.map(|at| election.regions[at].code.clone());
    let number = tx.query_row(include_str!("sql/desk_count.sql"), [row.number], |r| rows::unsigned(r, 0))?;
    let values = (row.number, number as i64, acts::name(action), &region, now.0, counted as i64);
    tx.execute(include_str!("sql/desk_put.sql"), values)?;
    crash_point!("store-desk-before-commit");
    tx.commit()?;
    Ok(DeskAct { number, action, region, at: now, counted })
}

/// Votes counted so far, of a region or of all.
fn counted(conn: &Connection, number: i64, election: &Election, region: Option<usize>) -> Done<u64> {
    let mut totals = Vec::new();
    for row in rows::all(conn, number)? {
        pack::add_numbers(&row.totals, &mut totals).ok_or_else(|| corrupt("a partition's totals"))?;
    }
    let candidates = election.candidates.len();
    let range = region.map_or(0..totals.len(), |at| at * candidates..(at + 1) * candidates);
    Ok(totals.get(range).ok_or_else(|| corrupt("a partition's totals"))?.iter().sum())
}

/// All acts, oldest first.
pub(super) fn acts(conn: &Connection, number: i64) -> Done<Vec<DeskAct>> {
    let mut statement = conn.prepare_cached(include_str!("sql/desk_all.sql"))?;
    let mut rows = statement.query([number])?;
    let mut acts = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        acts.push(DeskAct {
            number: rows::unsigned(row, 0)?,
            action: acts::action(name).ok_or_else(|| corrupt("an act of the desk"))?,
            region: row.get(2)?,
            at: Millis(row.get(3)?),
            counted: rows::unsigned(row, 4)?,
        });
    }
    Ok(acts)
}
