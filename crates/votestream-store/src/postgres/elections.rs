//! Elections of the store: pinned when created, compared ever after, begun anew from scratch. Workers may do so at once.

use super::fault::{Done, Fault};
use super::link::Session;
use super::{Writer, corrupt, raise, rows};
use crate::balance::Shape;
use crate::error::{StoreError, list};
use crate::pack::Reasons;
use crate::pinned::{self, Stored};
use crate::types::{Creation, ElectionHead};
use std::sync::Arc;
use votestream_election::delta::{DeskAct, Pin};
use votestream_election::ledger::Digest;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::results::DeskState;
use votestream_election::{Election, LogId, Millis, Offset, RegionIx};

/// An election of this database.
pub(super) struct Known {
    pub(super) number: i32,
    pub(super) election: Election,
    pub(super) shape: Shape,
    pub(super) partitioners: PartitionerSet,
}

/// The `election` row.
pub(super) struct Row {
    pub(super) number: i32,
    pub(super) definition: String,
    pub(super) hash: [u8; 32],
    pub(super) log_kind: String,
    pub(super) log_id: LogId,
    pub(super) partitions: u32,
    pub(super) partitioners: PartitionerSet,
    pub(super) desk_acts: u64,
    pub(super) releases: u64,
}

/// Reads an election's row; an error lists what there is instead.
pub(super) async fn row(session: &Session, label: &str, id: &str) -> Done<Row> {
    match find(session, id).await? {
        Some(row) => Ok(row),
        None => Err(unknown(session, label, id).await?.into()),
    }
}

async fn unknown(session: &Session, label: &str, id: &str) -> Done<StoreError> {
    let ids: Vec<String> = heads(session).await?.into_iter().map(|h| h.id).collect();
    let store = label.to_owned();
    if ids.is_empty() {
        return Ok(StoreError::NoElection { store });
    }
    let known = list(ids.iter().map(String::as_str));
    Ok(StoreError::UnknownElection { store, id: id.to_owned(), known })
}

pub(super) async fn find(session: &Session, id: &str) -> Done<Option<Row>> {
    let Some(r) = session.maybe(include_str!("sql/election_get.sql"), &[&id]).await? else {
        return Ok(None);
    };
    let partitioners = PartitionerSet::from_text(rows::get(&r, 6)?);
    Ok(Some(Row {
        number: rows::get(&r, 0)?,
        definition: rows::get(&r, 1)?,
        hash: rows::digest(&r, 2)?.0,
        log_kind: rows::get(&r, 3)?,
        log_id: LogId(rows::wide(&r, 4)?),
        partitions: rows::small(&r, 5)?,
        partitioners: partitioners.ok_or_else(|| corrupt("an election's set of partitioners"))?,
        desk_acts: rows::unsigned(&r, 7)?,
        releases: rows::unsigned(&r, 8)?,
    }))
}

/// Reads a pinned definition.
pub(super) fn definition(json: &str) -> Done<Election> {
    Election::from_json(json).map_err(|_| corrupt("an election's definition"))
}

/// All elections, in the order of their creation.
pub(super) async fn heads(session: &Session) -> Done<Vec<ElectionHead>> {
    let mut heads = Vec::new();
    for r in session.rows(include_str!("sql/election_list.sql"), &[]).await? {
        let election = definition(rows::get(&r, 1)?)?;
        heads.push(ElectionHead {
            id: rows::get(&r, 0)?,
            name: election.name,
            date: election.date,
            simulated: election.simulated,
            created: Millis(rows::get(&r, 2)?),
        });
    }
    Ok(heads)
}

/// The election of that id, or the only one.
pub(super) async fn choose(session: &Session, label: &str, id: Option<&str>) -> Done<Election> {
    if let Some(id) = id {
        return definition(&row(session, label, id).await?.definition);
    }
    let heads = heads(session).await?;
    match heads.as_slice() {
        [] => Err(StoreError::NoElection { store: label.to_owned() }.into()),
        [one] => definition(&row(session, label, &one.id).await?.definition),
        several => {
            let known = list(several.iter().map(|h| h.id.as_str()));
            Err(StoreError::AmbiguousElection { store: label.to_owned(), known }.into())
        }
    }
}

/// What an election was pinned to, its partitioners as narrowed since.
pub(super) async fn pin(session: &Session, label: &str, id: &str) -> Done<Pin> {
    session.begin_snapshot().await?;
    let row = row(session, label, id).await?;
    let starts = session.rows(include_str!("sql/progress_starts.sql"), &[&row.number]).await?;
    session.commit().await?;
    Ok(Pin {
        log_kind: row.log_kind,
        log_id: row.log_id,
        partitions: row.partitions,
        start_offsets: starts.iter().map(|r| Ok(Offset(rows::unsigned(r, 0)?))).collect::<Done<_>>()?,
        partitioners: row.partitioners,
    })
}

/// The store's identity.
pub(super) async fn store_uuid(session: &Session) -> Done<u128> {
    rows::wide(&session.row(include_str!("sql/store_get.sql"), &[]).await?, 0)
}

impl Writer {
    pub(crate) fn create_or_resume(
        &mut self,
        election: &Election,
        pin: &Pin,
        now: Millis,
    ) -> Result<Creation, StoreError> {
        pinned::must_be_whole(election, pin)?;
        // Who creates the same election may be stuck in the middle of it.
        self.call_patiently(&async |session: &Session, label: &str| {
            if let Some(row) = find(session, &election.id).await? {
                pinned::compare(election, pin, &row.pinned())?;
                return Ok(Creation::Resumed);
            }
            session.begin().await?;
            // A second worker that creates the same waits here for the first, and then compares.
            let Some(number) = insert(session, election, pin, now).await? else {
                session.commit().await?;
                let row = row(session, label, &election.id).await?;
                pinned::compare(election, pin, &row.pinned())?;
                return Ok(Creation::Resumed);
            };
            describe(session, number, election, &[]).await?;
            begin(session, number, election, pin, 0).await?;
            crash_point!("store-after-create");
            session.commit().await?;
            Ok(Creation::Created)
        })
    }

    /// Drops all that was counted of an election, pins it to what is given now, and gives the store a new identity. Acts of the desk
    /// stay: what is held must not become public because it is counted again.
    pub(crate) fn start_over(
        &mut self,
        election: &Election,
        pin: &Pin,
        now: Millis,
    ) -> Result<(), StoreError> {
        pinned::must_be_whole(election, pin)?;
        let done = self.call(async |session, _| {
            session.begin().await?;
            session.rows(include_str!("sql/election_lock.sql"), &[&election.id]).await?;
            let (number, epoch) = match find(session, &election.id).await? {
                None => {
                    let number = insert(session, election, pin, now).await?;
                    (number.ok_or_else(|| corrupt("an election that another worker just made"))?, 0)
                }
                Some(row) => {
                    let epoch = session.row(include_str!("sql/epoch_max.sql"), &[&row.number]).await?;
                    let epoch: i64 = rows::get(&epoch, 0)?;
                    clear(session, row.number).await?;
                    rebuild(session, row.number, election, pin).await?;
                    (row.number, epoch + 1)
                }
            };
            let acts = super::desk::acts(session, number).await?;
            describe(session, number, election, &acts).await?;
            begin(session, number, election, pin, epoch).await?;
            session.execute(include_str!("sql/store_renew.sql"), &[]).await?;
            crash_point!("store-rebuild-before-commit");
            session.commit().await
        });
        self.forget_election(&election.id);
        done
    }

    /// Drops an election whole, acts of the desk included, and gives the store a new identity.
    pub(crate) fn delete_election(&mut self, id: &str) -> Result<(), StoreError> {
        let done = self.call(async |session, label| {
            session.begin().await?;
            session.rows(include_str!("sql/election_lock.sql"), &[&id]).await?;
            let number = row(session, label, id).await?.number;
            clear(session, number).await?;
            session.execute(include_str!("sql/desk_delete.sql"), &[&number]).await?;
            session.execute(include_str!("sql/attempt_clear.sql"), &[&number]).await?;
            session.execute(include_str!("sql/election_delete.sql"), &[&number]).await?;
            session.execute(include_str!("sql/store_renew.sql"), &[]).await?;
            session.commit().await
        });
        self.forget_election(id);
        done
    }

    fn forget_election(&mut self, id: &str) {
        self.known.remove(id);
        self.bases.clear();
        self.groups.clear();
        self.ungrouped.clear();
        self.claims.clear();
        self.doubts.clear();
    }

    /// An election's definition and shape, read once.
    pub(super) fn known(&mut self, id: &str) -> Result<Arc<Known>, StoreError> {
        if let Some(known) = self.known.get(id) {
            return Ok(Arc::clone(known));
        }
        self.known_anew(id)
    }

    /// The same, read again: another worker may have begun the election anew.
    pub(super) fn known_anew(&mut self, id: &str) -> Result<Arc<Known>, StoreError> {
        let row = self.read(&async |session: &Session, label: &str| row(session, label, id).await)?;
        let link = self.link.get_mut();
        let known = Arc::new(link.name(known(&row))?);
        self.known.insert(id.to_owned(), Arc::clone(&known));
        Ok(known)
    }

    /// One call that may write.
    pub(super) fn call<T>(
        &mut self,
        call: impl AsyncFnOnce(&Session, &str) -> Done<T>,
    ) -> Result<T, StoreError> {
        let link = self.link.get_mut();
        let label = link.place().label.clone();
        let done = link.once(async |session| call(session, &label).await);
        link.name(done)
    }

    /// One call that may write and be repeated, in whose way another worker of ours may be stuck.
    pub(super) fn call_patiently<T>(
        &mut self,
        call: &impl AsyncFn(&Session, &str) -> Done<T>,
    ) -> Result<T, StoreError> {
        let link = self.link.get_mut();
        let label = link.place().label.clone();
        raise::patiently(link, &async |session: &Session| call(session, &label).await)
    }

    /// One call that only reads.
    pub(super) fn read<T>(&self, call: &impl AsyncFn(&Session, &str) -> Done<T>) -> Result<T, StoreError> {
        let mut link = self.link.borrow_mut();
        let label = link.place().label.clone();
        let done = link.read(&async |session: &Session| call(session, &label).await);
        link.name(done)
    }
}

impl Row {
    fn pinned(&self) -> Stored<'_> {
        Stored {
            definition: &self.definition,
            hash: &self.hash,
            log_kind: &self.log_kind,
            log_id: self.log_id,
            partitions: self.partitions,
        }
    }
}

pub(super) fn known(row: &Row) -> Done<Known> {
    let election = definition(&row.definition)?;
    let shape = Shape {
        layout: election.layout(),
        regions: election.region_rows(),
        partitions: row.partitions,
        duplicate: election.duplicate,
    };
    Ok(Known { number: row.number, election, shape, partitioners: row.partitioners })
}

/// The new election's number, or nothing where there is one of that id.
async fn insert(session: &Session, election: &Election, pin: &Pin, now: Millis) -> Done<Option<i32>> {
    let row = session
        .maybe(
            include_str!("sql/election_insert.sql"),
            &[
                &election.id,
                &election.name,
                &election.to_json(),
                &election.hash().0.as_slice(),
                &pin.log_kind,
                &pin.log_id.0.to_be_bytes().as_slice(),
                &signed(pin.partitions)?,
                &pin.partitioners.to_text(),
                &now.0,
            ],
        )
        .await?;
    row.map(|r| rows::get(&r, 0)).transpose()
}

async fn rebuild(session: &Session, number: i32, election: &Election, pin: &Pin) -> Done<()> {
    session
        .execute(
            include_str!("sql/election_rebuild.sql"),
            &[
                &number,
                &election.name,
                &election.to_json(),
                &election.hash().0.as_slice(),
                &pin.log_kind,
                &pin.log_id.0.to_be_bytes().as_slice(),
                &signed(pin.partitions)?,
                &pin.partitioners.to_text(),
            ],
        )
        .await?;
    Ok(())
}

/// Writes what the views need of a definition: regions, with whether they are public, and candidates.
async fn describe(session: &Session, number: i32, election: &Election, acts: &[DeskAct]) -> Done<()> {
    let (places, public) = public(election, acts);
    let regions = election.regions.iter();
    let mut codes: Vec<_> = regions.clone().map(|r| Some(r.code.as_str())).collect();
    let mut names: Vec<_> = regions.map(|r| Some(r.name.as_str())).collect();
    codes.resize(places.len(), None);
    names.resize(places.len(), None);
    session.execute(include_str!("sql/region_put.sql"), &[&number, &places, &codes, &names, &public]).await?;
    let candidates = &election.candidates;
    let places: Vec<i32> = (0..candidates.len()).map(|n| n as i32).collect();
    let ids: Vec<_> = candidates.iter().map(|c| c.id.as_str()).collect();
    let names: Vec<_> = candidates.iter().map(|c| c.name.as_str()).collect();
    let parties: Vec<_> = candidates.iter().map(|c| c.party.as_str()).collect();
    session
        .execute(include_str!("sql/candidate_put.sql"), &[&number, &places, &ids, &names, &parties])
        .await?;
    Ok(())
}

/// Each region's place and whether its results may be shown after these acts.
pub(super) fn public(election: &Election, acts: &[DeskAct]) -> (Vec<i32>, Vec<bool>) {
    let state = DeskState::of(election, acts);
    (0..election.region_rows()).map(|row| (row as i32, state.is_public(RegionIx(row as u16)))).unzip()
}

/// Writes the progress rows of an election of which nothing is counted.
async fn begin(session: &Session, number: i32, election: &Election, pin: &Pin, epoch: i64) -> Done<()> {
    let starts: Vec<i64> = pin.start_offsets.iter().map(|o| o.0 as i64).collect();
    let totals = vec![0_i64; election.region_rows() * election.candidates.len()];
    let chain = Digest::default().0;
    // The digest of no rows, which is what a ledger begins with.
    let open = *blake3::hash(b"").as_bytes();
    let reasons = Reasons::default().pack();
    session
        .execute(
            include_str!("sql/progress_insert.sql"),
            &[&number, &starts, &epoch, &chain.as_slice(), &open.as_slice(), &reasons, &totals],
        )
        .await?;
    Ok(())
}

/// Drops all that was counted of an election. Progress first: a flush that goes on is waited for, and the next fails its fence.
async fn clear(session: &Session, number: i32) -> Done<()> {
    for sql in [
        include_str!("sql/progress_clear.sql"),
        // What lies outside may be swept by whoever counts there next.
        include_str!("sql/attempt_retire_all.sql"),
        include_str!("sql/voter_file_clear.sql"),
        include_str!("sql/tally_clear.sql"),
        include_str!("sql/timeline_clear.sql"),
        include_str!("sql/seen_clear.sql"),
        include_str!("sql/rejected_clear.sql"),
        include_str!("sql/leaf_clear.sql"),
        include_str!("sql/release_clear.sql"),
        include_str!("sql/release_block_clear.sql"),
        include_str!("sql/region_clear.sql"),
        include_str!("sql/candidate_clear.sql"),
    ] {
        session.execute(sql, &[&number]).await?;
    }
    Ok(())
}

/// A number as PostgreSQL's `integer` holds it.
pub(super) fn signed(number: u32) -> Done<i32> {
    i32::try_from(number).map_err(|_| Fault::Corrupt("a number that is too large"))
}
