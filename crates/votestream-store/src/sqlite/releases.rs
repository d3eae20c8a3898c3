//! Released demographics, each block kept from minute to minute, so that a past view shows the release of its time.

use super::fault::Done;
use super::flush::sequence;
use super::{Writer, corrupt, elections, rows};
use crate::pack;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::{CandidateIx, Millis, Minute, RegionIx};

/// The nation's place where a region's would be.
const NATION: i64 = -1;

impl Writer {
    pub(crate) fn release(
        &mut self,
        id: &str,
        blocks: &[ReleaseBlock],
        minute: Minute,
        now: Millis,
    ) -> Done<u64> {
        let known = self.known(id)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number =
            tx.query_row(include_str!("sql/release_count.sql"), [known.number], |r| r.get::<_, i64>(0))?;
        tx.execute(include_str!("sql/release_put.sql"), (known.number, number, minute.0, now.0))?;
        let mut put = tx.prepare_cached(include_str!("sql/release_block_put.sql"))?;
        for block in blocks {
            let area = block.region.map_or(NATION, |r| r.0.into());
            let cells = pack::numbers(block.cells.iter().copied());
            let kind = block.kind.name();
            put.execute((known.number, kind, area, block.candidate.0, minute.0, number, cells))?;
        }
        drop(put);
        let sequence = sequence(&tx, known.number)?;
        crash_point!("store-release-before-commit");
        tx.commit()?;
        Ok(sequence)
    }
}

/// The blocks as released up to a minute, or up to now; the nation first, then regions.
pub(super) fn blocks(
    conn: &Connection,
    label: &str,
    id: &str,
    at: Option<Minute>,
) -> Done<Vec<ReleaseBlock>> {
    let tx = conn.unchecked_transaction()?;
    let number = elections::row(&tx, label, id)?.number;
    let at = at.map_or(i64::MAX, |m| m.0);
    let mut next = tx.prepare_cached(include_str!("sql/release_block_after.sql"))?;
    let mut latest = tx.prepare_cached(include_str!("sql/release_block_at.sql"))?;
    let mut blocks = Vec::new();
    let mut key = (String::new(), i64::MIN, i64::MIN);
    // Two look-ups a block, however many minutes lie behind them.
    loop {
        let after = next.query_row((number, &key.0, key.1, key.2), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)));
        let Some(found) = after.optional()? else { break };
        key = found;
        let cells = latest
            .query_row((number, &key.0, key.1, key.2, at), |r| Ok(pack::read_numbers(rows::blob(r, 0)?)))
            .optional()?;
        if let Some(cells) = cells {
            blocks.push(block(&key, cells.ok_or_else(|| corrupt("a release"))?)?);
        }
    }
    blocks.sort_by_key(|b| (b.region, b.candidate, b.kind));
    Ok(blocks)
}

fn block((kind, area, candidate): &(String, i64, i64), cells: Vec<u64>) -> Done<ReleaseBlock> {
    let wrong = || corrupt("a release");
    let region = match *area {
        NATION => None,
        area => Some(RegionIx(u16::try_from(area).map_err(|_| wrong())?)),
    };
    let candidate = CandidateIx(u16::try_from(*candidate).map_err(|_| wrong())?);
    let kind = BlockKind::from_name(kind).ok_or_else(wrong)?;
    Ok(ReleaseBlock { region, candidate, kind, cells })
}
