//! Whose schema it is, and bringing it up to date: numbered steps, each in one transaction under one advisory lock, so that of many
//! workers that start at once exactly one does it. Nothing foreign is ever changed.

use super::fault::Done;
use super::link::{Link, Session};
use super::raise;
use crate::error::StoreError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The migrations, oldest first; the schema's version is how many were applied.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_results.sql"),
    include_str!("schema/0002_archive_heads.sql"),
    include_str!("schema/0003_outside.sql"),
    include_str!("schema/0004_flush.sql"),
];
const SCHEMA: i32 = MIGRATIONS.len() as i32;
/// Key of the advisory lock, of this database: `vote` in ASCII.
const LOCK: i64 = 0x766f_7465;
/// How long bringing a schema up to date may take, waiting for who does it included.
const DEADLINE: Duration = Duration::from_mins(2);

/// What the database holds where our schema would be.
enum Found {
    Nothing,
    Foreign(String),
    Ours(i32),
}

/// Makes or migrates what is needed, for those who count.
pub(super) fn bring_up_to_date(link: &mut Link) -> Result<(), StoreError> {
    let label = link.place().label.clone();
    raise::patiently_within(link, DEADLINE, &async |session: &Session| {
        // Most starts find everything as it must be, and take no lock.
        if matches!(look(session, &label).await?, Found::Ours(SCHEMA)) {
            return Ok(());
        }
        while step(session, &label).await? {}
        Ok(())
    })
}

/// Refuses what is not there, not ours or not of this version, for those who read or record acts.
pub(super) fn must_be_current(link: &mut Link) -> Result<(), StoreError> {
    let store = link.place().label.clone();
    let found = link.read(&async |session: &Session| look(session, &store).await);
    match link.name(found)? {
        Found::Nothing => Err(StoreError::Missing { store }),
        Found::Foreign(why) => Err(StoreError::Foreign { store, why }),
        Found::Ours(found) if found < SCHEMA => {
            Err(StoreError::Older { store, found: found as u32, known: SCHEMA as u32 })
        }
        Found::Ours(_) => Ok(()),
    }
}

/// Looks without changing anything. A newer schema is an error at once.
async fn look(session: &Session, label: &str) -> Done<Found> {
    let row = session.row(include_str!("sql/schema_look.sql"), &[]).await?;
    let (objects, marked): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    if !marked {
        return Ok(match objects {
            0 => Found::Nothing,
            n => Found::Foreign(format!("its schema \"votestream\" holds {n} objects of another program")),
        });
    }
    let row = session.row(include_str!("sql/schema_version.sql"), &[]).await?;
    let version: i32 = row.try_get(0)?;
    if version > SCHEMA {
        let store = label.to_owned();
        return Err(StoreError::Newer { store, found: version as u32, known: SCHEMA as u32 }.into());
    }
    Ok(Found::Ours(version))
}

/// One step, if one is missing; says whether to look for another.
async fn step(session: &Session, label: &str) -> Done<bool> {
    session.begin().await?;
    // Who waits here waits for another's migration; one that takes longer is stuck.
    session.batch("SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '60s'").await?;
    session.rows("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let version = match look(session, label).await? {
        Found::Foreign(why) => return Err(StoreError::Foreign { store: label.to_owned(), why }.into()),
        Found::Nothing => 0,
        Found::Ours(version) => version,
    };
    let Some(text) = MIGRATIONS.get(version as usize) else {
        session.commit().await?;
        return Ok(false);
    };
    if version == 0 {
        // A schema made beforehand, by somebody with more rights, is welcome.
        let there = session.maybe("SELECT 1 FROM pg_namespace WHERE nspname = 'votestream'", &[]).await?;
        if there.is_none() {
            session.batch("CREATE SCHEMA votestream").await?;
        }
        session.batch(include_str!("sql/schema_mark.sql")).await?;
    }
    session.batch(text).await?;
    if version == 0 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        session.execute(include_str!("sql/store_insert.sql"), &[&now]).await?;
    }
    session.execute(include_str!("sql/schema_step.sql"), &[&(version + 1)]).await?;
    session.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;

    /// A migration that stores were made with is never changed: what is new goes into a new one.
    #[test]
    fn migrations_are_what_they_were() {
        const DIGESTS: [&str; 4] = [
            "108c25fb449fdac314afb1d4b35fa00bd04d941012878e01cde35caebeca63cb",
            "30e7c2bdffa0322943d53d5a32634dca79caa69256cfc46d2f837d170d002767",
            "93d1cbd9f8ac8e8e0de12fdb68e2442cd93ba558bd9e90a30fb17e03e8a9ea41",
            "4347d3e45a5af99603efb3b78f428a80f1721e301586d56b748be391ced9e8d9",
        ];
        let found: Vec<_> =
            MIGRATIONS.iter().map(|text| blake3::hash(text.as_bytes()).to_hex().to_string()).collect();
        assert_eq!(found, DIGESTS);
    }
}
