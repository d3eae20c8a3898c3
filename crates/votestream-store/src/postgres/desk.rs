//! Acts of the election desk, each its own transaction beside the counting workers, and which regions are public after them.

use super::fault::{Done, Fault};
use super::link::Session;
use super::{Desk, Writer, corrupt, elections, raise, rows};
use crate::acts;
use crate::error::StoreError;
use votestream_election::delta::{DeskAct, DeskAction};
use votestream_election::{Election, Millis};

impl Desk {
    pub(crate) fn act(
        &mut self,
        id: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Result<DeskAct, StoreError> {
        let link = self.link.get_mut();
        let label = link.place().label.clone();
        raise::patiently(link, &async |session: &Session| act(session, &label, id, action, region, now).await)
    }

    pub(crate) fn choose(&self, id: Option<&str>) -> Result<Election, StoreError> {
        let mut link = self.link.borrow_mut();
        let label = link.place().label.clone();
        let done = link.read(&async |session: &Session| elections::choose(session, &label, id).await);
        link.name(done)
    }
}

impl Writer {
    pub(crate) fn act(
        &mut self,
        id: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Result<DeskAct, StoreError> {
        self.call_patiently(&async |session: &Session, label: &str| {
            act(session, label, id, action, region, now).await
        })
    }
}

async fn act(
    session: &Session,
    label: &str,
    id: &str,
    action: DeskAction,
    region: Option<&str>,
    now: Millis,
) -> Done<DeskAct> {
    session.begin().await?;
    let row = elections::row(session, label, id).await?;
    let election = elections::definition(&row.definition)?;
    let region = region.map(|code| acts::find(&election, code)).transpose()?;
    // Raising the count locks the election's row: acts come one after the other, each numbered.
    let number = session.row(include_str!("sql/desk_count.sql"), &[&row.number]).await?;
    let number = rows::unsigned(&number, 0)?;
    let counted = counted(session, row.number, &election, region).await?;
    let region = region.and_then(|at| election.regions.get(at)).map(|r| r.code.clone());
    let params = [
        &row.number as _,
        &(number as i64) as _,
        &acts::name(action) as _,
        &region as _,
        &now.0 as _,
        &(counted as i64) as _,
    ];
    session.execute(include_str!("sql/desk_put.sql"), &params).await?;
    let (places, public) = elections::public(&election, &acts(session, row.number).await?);
    session.execute(include_str!("sql/region_publish.sql"), &[&row.number, &places, &public]).await?;
    crash_point!("store-desk-before-commit");
    session.commit().await?;
    Ok(DeskAct { number, action, region, at: now, counted })
}

/// Votes counted so far, of a region or of all.
async fn counted(session: &Session, number: i32, election: &Election, region: Option<usize>) -> Done<u64> {
    let mut totals = Vec::new();
    for row in session.rows(include_str!("sql/progress_all.sql"), &[&number]).await? {
        rows::add_votes(&rows::progress(&row)?.totals, &mut totals)?;
    }
    let candidates = election.candidates.len();
    let range = region.map_or(0..totals.len(), |at| at * candidates..(at + 1) * candidates);
    Ok(totals.get(range).ok_or_else(|| corrupt("a partition's totals"))?.iter().sum())
}

/// All acts, oldest first.
pub(super) async fn acts(session: &Session, number: i32) -> Done<Vec<DeskAct>> {
    let found = session.rows(include_str!("sql/desk_all.sql"), &[&number]).await?;
    found
        .iter()
        .map(|row| {
            Ok::<_, Fault>(DeskAct {
                number: rows::unsigned(row, 0)?,
                action: acts::action(rows::get(row, 1)?).ok_or_else(|| corrupt("an act of the desk"))?,
                region: rows::get(row, 2)?,
                at: Millis(rows::get(row, 3)?),
                counted: rows::unsigned(row, 4)?,
            })
        })
        .collect()
}
