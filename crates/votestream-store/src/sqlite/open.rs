//! Opening the file: whose it is, the lock of the one counting writer, settings, migrations. Nothing foreign is ever changed.

use super::fault::{Done, InStore};
use crate::error::StoreError;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, TransactionBehavior, ffi};
use rustix::fs::{Access, AtFlags};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Marks the file as ours: `vote` in ASCII.
const APPLICATION_ID: u32 = 0x766f_7465;
/// The migrations, oldest first; the schema's version is how many were applied.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_results.sql"),
    include_str!("schema/0002_archive_heads.sql"),
    include_str!("schema/0003_outside.sql"),
];
const SCHEMA: u32 = MIGRATIONS.len() as u32;
/// How long a statement waits for another process's short transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages (4 KiB) of write-ahead log after which they are written back.
const AUTOCHECKPOINT_PAGES: u32 = 4_096;
/// The smallest page, and so the smallest database, that SQLite writes.
const SQLITE_BYTES_MIN: u64 = 512;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: u32 = 32 << 10;

/// What lies at a path.
#[derive(Clone, Copy)]
enum Found {
    Nothing,
    /// A file without content: one that was begun and not finished.
    Empty,
    Ours(u32),
}

/// Opens, locks and where needed creates or migrates the file for the one process that counts.
pub(super) fn for_counting(path: &Path, label: &str) -> Result<(Connection, File), StoreError> {
    let path = &plain(path);
    identify(path, label)?;
    let not_writable = |source| StoreError::NotWritable { store: label.to_owned(), source };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(not_writable)?;
    }
    let lock = lock(path, label)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(path, flags).in_store(label)?;
    writable(&conn, label)?;
    let done = configure_writer(&conn).and_then(|mode| {
        if mode == "wal" {
            migrate(&mut conn)?;
        }
        Ok(mode)
    });
    match done.in_store(label)?.as_str() {
        "wal" => Ok((conn, lock)),
        mode => Err(StoreError::Open {
            store: label.to_owned(),
            source: format!("its file system allows no write-ahead log (journal mode {mode:?})").into(),
        }),
    }
}

/// Opens the file for reading, beside whoever writes.
pub(super) fn for_reading(path: &Path, label: &str) -> Result<Connection, StoreError> {
    let path = &plain(path);
    must_be_current(identify(path, label)?, label)?;
    let conn =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).in_store(label)?;
    conn.pragma_update(None, "query_only", true).map_err(Into::into).in_store(label)?;
    Ok(conn)
}

/// Opens the file for acts of the desk, beside whoever counts.
pub(super) fn for_desk(path: &Path, label: &str) -> Result<Connection, StoreError> {
    let path = &plain(path);
    must_be_current(identify(path, label)?, label)?;
    let conn =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).in_store(label)?;
    writable(&conn, label)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(Into::into).in_store(label)?;
    Ok(conn)
}

/// The file that SQLite, or the lock, keeps beside the store.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// SQLite takes some names for more than names.
fn plain(path: &Path) -> PathBuf {
    let special = path.to_str().is_none_or(|p| p.starts_with("file:") || p.starts_with(':'));
    if special && path.is_relative() { Path::new(".").join(path) } else { path.to_owned() }
}

fn connect(path: &Path, flags: OpenFlags) -> Done<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    Ok(conn)
}

/// Looks at what is there without changing anything committed.
fn identify(path: &Path, label: &str) -> Result<Found, StoreError> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(StoreError::Open { store: label.to_owned(), source: e.into() }),
        Ok(m) if m.is_dir() => return Err(foreign(label, "it is a directory")),
        Ok(m) if m.len() == 0 => return Ok(Found::Empty),
        // SQLite would take it for an empty database, and write over it. (Only its length is looked at: to open and close the
        // file apart from SQLite would drop the locks of this process's other connections.)
        Ok(m) if m.len() < SQLITE_BYTES_MIN => return Err(foreign(label, "no SQLite database")),
        Ok(_) => {}
    }
    let read = |access| -> Done<(u32, u32, i64)> {
        let conn = connect(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // One read transaction, so that a store being created is seen before or after.
        conn.execute_batch("BEGIN")?;
        let objects = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        let id = conn.query_row("PRAGMA application_id", [], |r| r.get::<_, i64>(0))?;
        let version = conn.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        Ok((id as u32, version, objects))
    };
    let found = match read(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // A process ended inside a transaction, and its journal waits beside the file: what was committed is known only
        // when the first to open the file for writing has taken the rest back.
        Err(super::Fault::Sql(e)) if waits_for_rollback(&e) => read(OpenFlags::SQLITE_OPEN_READ_WRITE),
        found => found,
    };
    match found {
        Ok((APPLICATION_ID, found, _)) if found > SCHEMA => {
            Err(StoreError::Newer { store: label.to_owned(), found, known: SCHEMA })
        }
        Ok((APPLICATION_ID, found, _)) => Ok(Found::Ours(found)),
        Ok((0, 0, 0)) => Ok(Found::Empty),
        Ok((id, ..)) => {
            Err(foreign(label, &format!("a SQLite database of another program, application id {id:#x}")))
        }
        Err(super::Fault::Sql(e)) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(foreign(label, "no SQLite database"))
        }
        Err(fault) => Err(fault.named(label)),
    }
}

fn waits_for_rollback(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

fn foreign(label: &str, why: &str) -> StoreError {
    StoreError::Foreign { store: label.to_owned(), why: why.to_owned() }
}

fn must_be_current(found: Found, label: &str) -> Result<(), StoreError> {
    let store = label.to_owned();
    match found {
        Found::Nothing | Found::Empty => Err(StoreError::Missing { store }),
        Found::Ours(found) if found < SCHEMA => Err(StoreError::Older { store, found, known: SCHEMA }),
        Found::Ours(_) => Ok(()),
    }
}

/// Why this process may not count into the file at `path`, if it may not. Nothing is opened: to close a file that SQLite has open would
/// drop this process's locks on it.
pub(super) fn not_writable(path: &Path) -> Option<&'static str> {
    let may_write =
        |path: &Path| rustix::fs::accessat(rustix::fs::CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    if !may_write(path) {
        return Some("this user may not write the file");
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if !may_write(directory.unwrap_or(Path::new("."))) {
        return Some("this user may not write its directory, where SQLite keeps files beside it");
    }
    let kept = [".lock", "-wal", "-shm"].map(|suffix| beside(path, suffix));
    let barred = kept.iter().any(|path| path.exists() && !may_write(path));
    barred.then_some("this user may not write the files beside it (.lock, -wal, -shm)")
}

/// SQLite falls back to reading where it may not write.
fn writable(conn: &Connection, label: &str) -> Result<(), StoreError> {
    if conn.is_readonly(MAIN_DB).map_err(Into::into).in_store(label)? {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        return Err(StoreError::NotWritable { store: label.to_owned(), source });
    }
    Ok(())
}

/// Takes `<store>.lock` for as long as the file is held. The lock goes with the process, however it ends.
fn lock(path: &Path, label: &str) -> Result<File, StoreError> {
    let store = || label.to_owned();
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(|source| StoreError::NotWritable { store: store(), source })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let who = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
            let holder = who.map_or("another process".to_owned(), |pid| format!("process {pid}"));
            return Err(StoreError::Locked { store: store(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(StoreError::NotWritable { store: store(), source }),
    }
    // Only for the message above: a full disk must not keep a store from being opened.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

fn configure_writer(conn: &Connection) -> Done<String> {
    let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    conn.pragma_update(None, "journal_size_limit", super::WAL_BYTES_MAX as i64)?;
    conn.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))?;
    Ok(mode)
}

/// Brings the schema up to date, each step with its number in one transaction.
fn migrate(conn: &mut Connection) -> Done<()> {
    loop {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 = tx.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        let Some(step) = MIGRATIONS.get(version as usize) else { return Ok(()) };
        tx.execute_batch(step)?;
        if version == 0 {
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            let uuid = super::elections::new_uuid(&tx)?;
            tx.execute(include_str!("sql/store_insert.sql"), (uuid.to_be_bytes(), wall_clock_ms()))?;
        }
        tx.pragma_update(None, "user_version", version + 1)?;
        crash_point!("store-after-schema");
        tx.commit()?;
    }
}

/// Only for the record of when the file was made; nothing is computed from it.
fn wall_clock_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}
