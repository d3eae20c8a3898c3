//! Elections of the store: pinned when created, compared ever after, begun anew from scratch.

use super::fault::Done;
use super::{Writer, corrupt};
use crate::balance::Shape;
use crate::error::{StoreError, list};
use crate::pack::{self, Reasons};
use crate::pinned::{self, Stored};
use crate::types::{Creation, ElectionHead};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::sync::Arc;
use votestream_election::delta::Pin;
use votestream_election::ledger::Digest;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, LogId, Millis, Offset};

/// An election of this file.
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) election: Election,
    pub(super) shape: Shape,
    pub(super) partitioners: PartitionerSet,
}

/// The `election` row.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) definition: String,
    pub(super) hash: [u8; 32],
    pub(super) log_kind: String,
    pub(super) log_id: LogId,
    pub(super) partitions: u32,
    pub(super) partitioners: PartitionerSet,
    pub(super) desk_acts: u64,
    pub(super) releases: u64,
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

/// Reads an election's row; an error lists what there is instead.
pub(super) fn row(conn: &Connection, label: &str, id: &str) -> Done<Row> {
    match find(conn, id)? {
        Some(row) => Ok(row),
        None => Err(unknown(conn, label, id)?.into()),
    }
}

fn unknown(conn: &Connection, label: &str, id: &str) -> Done<StoreError> {
    let ids: Vec<String> = heads(conn)?.into_iter().map(|h| h.id).collect();
    let store = label.to_owned();
    if ids.is_empty() {
        return Ok(StoreError::NoElection { store });
    }
    let known = list(ids.iter().map(String::as_str));
    Ok(StoreError::UnknownElection { store, id: id.to_owned(), known })
}

fn find(conn: &Connection, id: &str) -> Done<Option<Row>> {
    let mut statement = conn.prepare_cached(include_str!("sql/election_get.sql"))?;
    let row = statement.query_row([id], |r| {
        let partitioners = PartitionerSet::from_text(r.get_ref(6)?.as_str()?);
        Ok((
            Row {
                number: r.get(0)?,
                definition: r.get(1)?,
                hash: r.get(2)?,
                log_kind: r.get(3)?,
                log_id: LogId(u128::from_be_bytes(r.get(4)?)),
                partitions: r.get(5)?,
                partitioners: partitioners.unwrap_or(PartitionerSet::ALL),
                desk_acts: r.get::<_, i64>(7)? as u64,
                releases: r.get::<_, i64>(8)? as u64,
            },
            partitioners,
        ))
    });
    match row.optional()? {
        None => Ok(None),
        Some((_, None)) => Err(corrupt("an election's set of partitioners")),
        Some((row, Some(_))) => Ok(Some(row)),
    }
}

/// Reads a pinned definition.
pub(super) fn definition(json: &str) -> Done<Election> {
    Election::from_json(json).map_err(|_| corrupt("an election's definition"))
}

/// All elections, in the order of their creation.
pub(super) fn heads(conn: &Connection) -> Done<Vec<ElectionHead>> {
    let mut statement = conn.prepare_cached(include_str!("sql/election_list.sql"))?;
    let mut rows = statement.query([])?;
    let mut heads = Vec::new();
    while let Some(r) = rows.next()? {
        let election = definition(r.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        heads.push(ElectionHead {
            id: r.get(0)?,
            name: election.name,
            date: election.date,
            simulated: election.simulated,
            created: Millis(r.get(2)?),
        });
    }
    Ok(heads)
}

/// The election of that id, or the only one.
pub(super) fn choose(conn: &Connection, label: &str, id: Option<&str>) -> Done<Election> {
    if let Some(id) = id {
        return definition(&row(conn, label, id)?.definition);
    }
    let heads = heads(conn)?;
    match heads.as_slice() {
        [] => Err(StoreError::NoElection { store: label.to_owned() }.into()),
        [one] => definition(&row(conn, label, &one.id)?.definition),
        several => {
            let known = list(several.iter().map(|h| h.id.as_str()));
            Err(StoreError::AmbiguousElection { store: label.to_owned(), known }.into())
        }
    }
}

/// What an election was pinned to, its partitioners as narrowed since.
pub(super) fn pin(conn: &Connection, label: &str, id: &str) -> Done<Pin> {
    let row = row(conn, label, id)?;
    let mut statement = conn.prepare_cached(include_str!("sql/progress_starts.sql"))?;
    let starts = statement.query_map([row.number], |r| Ok(Offset(r.get::<_, i64>(0)? as u64)))?;
    Ok(Pin {
        log_kind: row.log_kind,
        log_id: row.log_id,
        partitions: row.partitions,
        start_offsets: starts.collect::<Result<_, _>>()?,
        partitioners: row.partitioners,
    })
}

/// A random version 4 UUID, by the database's own generator.
pub(super) fn new_uuid(conn: &Connection) -> Done<u128> {
    let random = u128::from_be_bytes(conn.query_row(include_str!("sql/store_random.sql"), [], |r| r.get(0))?);
    Ok(random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62))
}

/// The store's identity.
pub(super) fn store_uuid(conn: &Connection) -> Done<u128> {
    let mut statement = conn.prepare_cached(include_str!("sql/store_get.sql"))?;
    Ok(u128::from_be_bytes(statement.query_row([], |r| r.get(0))?))
}

impl Writer {
    pub(crate) fn create_or_resume(&mut self, election: &Election, pin: &Pin, now: Millis) -> Done<Creation> {
        pinned::must_be_whole(election, pin)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(row) = find(&tx, &election.id)? {
            return Ok(pinned::compare(election, pin, &row.pinned()).map(|()| Creation::Resumed)?);
        }
        insert(&tx, election, pin, now)?;
        let row = row(&tx, &self.label, &election.id)?;
        begin(&tx, row.number, election, pin, 0)?;
        crash_point!("store-after-create");
        tx.commit()?;
        Ok(Creation::Created)
    }

    /// Drops all that was counted of an election, pins it to what is given now, and gives the store a new identity. Acts of the desk
    /// stay: what is held must not become public because it is counted again.
    pub(crate) fn start_over(&mut self, election: &Election, pin: &Pin, now: Millis) -> Done<()> {
        pinned::must_be_whole(election, pin)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (number, epoch) = match find(&tx, &election.id)? {
            None => {
                insert(&tx, election, pin, now)?;
                (row(&tx, &self.label, &election.id)?.number, 0)
            }
            Some(row) => {
                let epoch: i64 =
                    tx.query_row(include_str!("sql/epoch_max.sql"), [row.number], |r| r.get(0))?;
                clear(&tx, row.number)?;
                let hash = election.hash().0;
                let log_id = pin.log_id.0.to_be_bytes();
                let partitioners = pin.partitioners.to_text();
                let values = (
                    row.number,
                    election.to_json(),
                    hash,
                    &pin.log_kind,
                    log_id,
                    pin.partitions,
                    partitioners,
                );
                tx.execute(include_str!("sql/rebuild_election.sql"), values)?;
                (row.number, epoch as u64 + 1)
            }
        };
        begin(&tx, number, election, pin, epoch)?;
        let uuid = new_uuid(&tx)?;
        tx.execute(include_str!("sql/store_renew.sql"), [uuid.to_be_bytes()])?;
        crash_point!("store-rebuild-before-commit");
        tx.commit()?;
        self.forget_election(&election.id);
        Ok(())
    }

    /// Drops an election whole, acts of the desk included, and gives the store a new identity.
    pub(crate) fn delete_election(&mut self, id: &str) -> Done<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = row(&tx, &self.label, id)?.number;
        clear(&tx, number)?;
        for table in ["desk_act", "attempt"] {
            tx.execute(&format!("DELETE FROM {table} WHERE election = ?1"), [number])?;
        }
        tx.execute(include_str!("sql/election_delete.sql"), [number])?;
        let uuid = new_uuid(&tx)?;
        tx.execute(include_str!("sql/store_renew.sql"), [uuid.to_be_bytes()])?;
        tx.commit()?;
        self.forget_election(id);
        Ok(())
    }

    fn forget_election(&mut self, id: &str) {
        self.known.remove(id);
        self.cache.clear();
        self.groups.clear();
    }

    /// An election's definition and shape, read once.
    pub(super) fn known(&mut self, id: &str) -> Done<Arc<Known>> {
        if let Some(known) = self.known.get(id) {
            return Ok(Arc::clone(known));
        }
        let row = row(&self.conn, &self.label, id)?;
        let known = Arc::new(known(&row)?);
        self.known.insert(id.to_owned(), Arc::clone(&known));
        Ok(known)
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

fn insert(tx: &Transaction<'_>, election: &Election, pin: &Pin, now: Millis) -> Done<()> {
    let hash = election.hash().0;
    let log_id = pin.log_id.0.to_be_bytes();
    let partitioners = pin.partitioners.to_text();
    let values =
        (&election.id, election.to_json(), hash, &pin.log_kind, log_id, pin.partitions, partitioners, now.0);
    tx.execute(include_str!("sql/election_insert.sql"), values)?;
    Ok(())
}

/// Writes the progress rows of an election of which nothing is counted.
fn begin(tx: &Transaction<'_>, number: i64, election: &Election, pin: &Pin, epoch: u64) -> Done<()> {
    let places = election.region_rows() * election.candidates.len();
    let totals = pack::numbers(std::iter::repeat_n(0, places));
    // The digest of no rows, which is what a ledger begins with.
    let open = Digest(*blake3::hash(b"").as_bytes()).0;
    for (partition, start) in pin.start_offsets.iter().enumerate() {
        let values = (
            number,
            partition as i64,
            epoch as i64,
            start.0 as i64,
            open,
            &totals,
            Reasons::default().pack(),
        );
        tx.execute(include_str!("sql/progress_insert.sql"), values)?;
    }
    Ok(())
}

/// Drops all that was counted of an election.
fn clear(tx: &Transaction<'_>, number: i64) -> Done<()> {
    // What lies outside may be swept by whoever counts there next.
    tx.execute(include_str!("sql/attempt_retire_all.sql"), [number])?;
    for table in [
        "progress",
        "tally",
        "timeline",
        "seen",
        "rejected",
        "leaf",
        "release",
        "release_block",
        "voter_file",
    ] {
        tx.execute(&format!("DELETE FROM {table} WHERE election = ?1"), [number])?;
    }
    Ok(())
}
