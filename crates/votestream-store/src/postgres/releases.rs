//! Released demographics, each block kept from minute to minute, so that a past view shows the release of its time.

use super::fault::Done;
use super::flush::sequence;
use super::link::Session;
use super::{Writer, corrupt, elections, rows};
use crate::error::StoreError;
use crate::pack;
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::{CandidateIx, Millis, Minute, RegionIx};

/// The nation's place where a region's would be.
const NATION: i32 = -1;

impl Writer {
    pub(crate) fn release(
        &mut self,
        id: &str,
        blocks: &[ReleaseBlock],
        minute: Minute,
        now: Millis,
    ) -> Result<u64, StoreError> {
        let known = self.known(id)?;
        let kinds: Vec<_> = blocks.iter().map(|b| b.kind.name()).collect();
        let areas: Vec<i32> = blocks.iter().map(|b| b.region.map_or(NATION, |r| r.0.into())).collect();
        let candidates: Vec<i32> = blocks.iter().map(|b| b.candidate.0.into()).collect();
        let cells: Vec<Vec<u8>> = blocks.iter().map(|b| pack::numbers(b.cells.iter().copied())).collect();
        self.call_patiently(&async |session: &Session, _: &str| {
            session.begin().await?;
            let number = session.row(include_str!("sql/release_count.sql"), &[&known.number]).await?;
            let number: i64 = rows::get(&number, 0)?;
            let params = [&known.number as _, &number as _, &minute.0 as _, &now.0 as _];
            session.execute(include_str!("sql/release_put.sql"), &params).await?;
            session
                .execute(
                    include_str!("sql/release_block_put.sql"),
                    &[&known.number, &minute.0, &number, &kinds, &areas, &candidates, &cells],
                )
                .await?;
            let sequence = sequence(session, known.number).await?;
            crash_point!("store-release-before-commit");
            session.commit().await?;
            Ok(sequence)
        })
    }
}

/// The blocks as released up to a minute, or up to now; the nation first, then regions.
pub(super) async fn blocks(
    session: &Session,
    label: &str,
    id: &str,
    at: Option<Minute>,
) -> Done<Vec<ReleaseBlock>> {
    session.begin_snapshot().await?;
    let number = elections::row(session, label, id).await?.number;
    let at = at.map_or(i64::MAX, |m| m.0);
    let found = session.rows(include_str!("sql/release_blocks.sql"), &[&number, &at]).await?;
    session.commit().await?;
    let mut blocks = found.iter().map(block).collect::<Done<Vec<_>>>()?;
    blocks.sort_by_key(|b| (b.region, b.candidate, b.kind));
    Ok(blocks)
}

fn block(row: &tokio_postgres::Row) -> Done<ReleaseBlock> {
    let wrong = || corrupt("a release");
    let region = match rows::get(row, 1)? {
        NATION => None,
        area => Some(RegionIx(u16::try_from(area).map_err(|_| wrong())?)),
    };
    let candidate = CandidateIx(u16::try_from(rows::get::<i32>(row, 2)?).map_err(|_| wrong())?);
    let kind = BlockKind::from_name(rows::get(row, 0)?).ok_or_else(wrong)?;
    let cells = pack::read_numbers(rows::get(row, 3)?).ok_or_else(wrong)?;
    Ok(ReleaseBlock { region, candidate, kind, cells })
}
