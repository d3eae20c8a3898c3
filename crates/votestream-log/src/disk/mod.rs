//! The file system as the log's writer uses it: few operations, each one that a power cut, a full disk or a failing fsync can hit.
//!
//! In production every call goes straight to the system. Tests ask for a disk that goes wrong at a chosen operation; what then
//! survives is decided in `fault`. Readers use the system directly: until the power is cut they see what was written, synced or not.

mod fault;

pub use fault::PowerCut;

use fault::{Fault, Step};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file system; [`Disk::default`] is the real one.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    fault: Option<Arc<Fault>>,
}

/// An open file that is written at places, not at an end.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    path: PathBuf,
    fault: Option<Arc<Fault>>,
}

impl Disk {
    /// For tests: a disk whose power is cut at the `at`th operation (from 0) on anything below `root`. Every operation from then on
    /// fails; [`PowerCut::restore`] then puts `root` into a state that such a cut may leave: what was synced, and of the rest
    /// a part that `seed` chooses.
    ///
    /// # Errors
    /// When `root` cannot be read.
    pub fn cutting_power(root: &Path, at: u64, seed: u64) -> io::Result<(Self, PowerCut)> {
        let (fault, cut) = Fault::power_cut(root, at, seed)?;
        Ok((Self { fault: Some(fault) }, cut))
    }

    /// For tests: a disk that has room for `bytes` more.
    pub fn with_room(bytes: u64) -> Self {
        Self { fault: Some(Fault::full_after(bytes)) }
    }

    /// For tests: a disk whose `nth` fsync of a file (from 0), and every later one, fails.
    pub fn failing_sync(nth: u64) -> Self {
        Self { fault: Some(Fault::failing_sync(nth)) }
    }

    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step(&Step::CreateDir(path))?;
        match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            done => done,
        }
    }

    /// Makes the names in a directory durable.
    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(&Step::SyncDir(path))?;
        File::open(path)?.sync_all()
    }

    /// Opens a file for reading and writing, making it when `create` is set and it is not there.
    pub(crate) fn open(&self, path: &Path, create: bool) -> io::Result<DiskFile> {
        if create && !path.exists() {
            self.step(&Step::Create(path))?;
        }
        let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(DiskFile { file, path: path.to_owned(), fault: self.fault.clone() })
    }

    /// Puts `bytes` in the place of the file at `path`, whole or not at all, durably.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let new = path.with_file_name(name);
        let file = self.open(&new, true)?;
        file.set_len(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        self.step(&Step::Rename(&new, path))?;
        std::fs::rename(&new, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    fn step(&self, step: &Step<'_>) -> io::Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault.step(step))
    }
}

impl DiskFile {
    pub(crate) fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        if let Some(fault) = &self.fault {
            let room = fault.room_for(bytes.len());
            if room < bytes.len() {
                self.file.write_all_at(&bytes[..room], position)?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            fault.step(&Step::Write)?;
        }
        self.file.write_all_at(bytes, position)
    }

    pub(crate) fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.step(&Step::Write)?;
        self.file.set_len(bytes)
    }

    /// Makes what was written, and the file's size, durable. Its name is the directory's: [`Disk::sync_dir`].
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.step(&Step::Sync)?;
        self.file.sync_data()?;
        if let Some(fault) = &self.fault {
            fault.synced(&self.path)?;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn step(&self, step: &Step<'_>) -> io::Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault.step(step))
    }
}
