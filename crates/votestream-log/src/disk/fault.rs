//! Disks that go wrong, for tests: the power is cut, the room runs out, fsync fails. Beside the real files it is kept what is durable.
//!
//! The model is strict: a file's bytes are durable when the file was synced, its name when its directory was. What was not synced
//! is, after a cut, there in full, in part, in part as zeros, or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One operation, before it is done.
pub(super) enum Step<'a> {
    CreateDir(&'a Path),
    SyncDir(&'a Path),
    Create(&'a Path),
    Write,
    Sync,
    Rename(&'a Path, &'a Path),
}

/// What goes wrong.
#[derive(Debug)]
pub(super) enum Fault {
    PowerCut(Arc<Mutex<Power>>),
    Full(Mutex<u64>),
    Sync(Mutex<u64>),
}

/// The power cut of a test's disk.
#[derive(Clone, Debug)]
pub struct PowerCut {
    power: Arc<Mutex<Power>>,
}

#[derive(Debug)]
pub(super) struct Power {
    root: PathBuf,
    seed: u64,
    left: u64,
    operations: u64,
    /// Each file's durable bytes, by its number.
    files: Vec<Vec<u8>>,
    /// The names as processes see them, and as they are durable. A directory has no number.
    live: BTreeMap<PathBuf, Option<usize>>,
    durable: BTreeMap<PathBuf, Option<usize>>,
    /// What the cut leaves, from the moment of the cut on.
    after: Option<BTreeMap<PathBuf, Option<Vec<u8>>>>,
}

impl Fault {
    pub(super) fn power_cut(root: &Path, at: u64, seed: u64) -> io::Result<(Arc<Self>, PowerCut)> {
        let (live, durable) = (BTreeMap::new(), BTreeMap::new());
        let root = root.to_owned();
        let mut power =
            Power { root, seed, left: at, operations: 0, files: Vec::new(), live, durable, after: None };
        power.load(&power.root.clone())?;
        let power = Arc::new(Mutex::new(power));
        Ok((Arc::new(Self::PowerCut(Arc::clone(&power))), PowerCut { power }))
    }

    pub(super) fn full_after(bytes: u64) -> Arc<Self> {
        Arc::new(Self::Full(Mutex::new(bytes)))
    }

    pub(super) fn failing_sync(nth: u64) -> Arc<Self> {
        Arc::new(Self::Sync(Mutex::new(nth)))
    }

    /// How many of `bytes` still fit; takes them.
    pub(super) fn room_for(&self, bytes: usize) -> usize {
        let Self::Full(left) = self else { return bytes };
        let mut left = lock(left);
        let fit = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= fit as u64;
        fit
    }

    pub(super) fn step(&self, step: &Step<'_>) -> io::Result<()> {
        match self {
            Self::PowerCut(power) => lock(power).step(step),
            Self::Sync(left) if matches!(step, Step::Sync) => {
                let mut left = lock(left);
                *left = left.checked_sub(1).ok_or_else(|| io::Error::other("fsync failed (simulated)"))?;
                Ok(())
            }
            Self::Full(_) | Self::Sync(_) => Ok(()),
        }
    }

    /// After a file's sync: its bytes are durable.
    pub(super) fn synced(&self, path: &Path) -> io::Result<()> {
        let Self::PowerCut(power) = self else { return Ok(()) };
        let mut power = lock(power);
        if power.after.is_some() {
            return Err(lost());
        }
        if let Some(&Some(file)) = power.live.get(path) {
            power.files[file] = std::fs::read(path)?;
        }
        Ok(())
    }
}

impl PowerCut {
    /// Cuts the power now, unless it is cut.
    pub fn cut(&self) {
        lock(&self.power).cut();
    }

    /// Whether the power is cut.
    pub fn is_cut(&self) -> bool {
        lock(&self.power).after.is_some()
    }

    /// How many operations were asked for so far.
    pub fn operations(&self) -> u64 {
        lock(&self.power).operations
    }

    /// Puts the directory into the state that the cut left; cuts first if need be. Nothing may have it open for writing any more.
    ///
    /// # Errors
    /// When the real file system fails.
    pub fn restore(&self) -> io::Result<()> {
        let mut power = lock(&self.power);
        power.cut();
        for entry in std::fs::read_dir(&power.root)? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        for (path, bytes) in power.after.as_ref().into_iter().flatten() {
            match bytes {
                None => std::fs::create_dir(path)?,
                Some(bytes) => std::fs::write(path, bytes)?,
            }
        }
        Ok(())
    }
}

impl Power {
    fn load(&mut self, dir: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let file = if path.is_dir() {
                self.load(&path)?;
                None
            } else {
                self.files.push(std::fs::read(&path)?);
                Some(self.files.len() - 1)
            };
            self.live.insert(path.clone(), file);
            self.durable.insert(path, file);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> io::Result<()> {
        self.operations += 1;
        if self.left == 0 {
            self.cut();
        }
        if self.after.is_some() {
            return Err(lost());
        }
        self.left -= 1;
        match *step {
            Step::CreateDir(path) => {
                self.live.insert(path.to_owned(), None);
            }
            Step::Create(path) => {
                self.files.push(Vec::new());
                self.live.insert(path.to_owned(), Some(self.files.len() - 1));
            }
            Step::Rename(from, to) => {
                let file = self.live.remove(from).flatten();
                self.live.insert(to.to_owned(), file);
            }
            Step::SyncDir(dir) => {
                let inside = |path: &Path| path.parent() == Some(dir);
                self.durable.retain(|path, _| !inside(path));
                let synced = self.live.iter().filter(|(path, _)| inside(path));
                self.durable.extend(synced.map(|(path, file)| (path.clone(), *file)));
            }
            // A write's bytes are read back from the file when it is synced or the power is cut.
            Step::Write | Step::Sync => {}
        }
        Ok(())
    }

    fn cut(&mut self) {
        if self.after.is_some() {
            return;
        }
        // A name that was not synced is there, or not: for every directory at once, as journals do it.
        let names = if self.chance(2) == 0 { self.durable.clone() } else { self.live.clone() };
        let mut after = BTreeMap::new();
        for (path, file) in &names {
            // A name whose directory is gone is gone too.
            let rooted = path.parent().is_some_and(|dir| dir == self.root || names.get(dir) == Some(&None));
            let bytes = file.map(|file| self.torn(file));
            if rooted {
                after.insert(path.clone(), bytes);
            }
        }
        self.after = Some(after);
    }

    /// A file's bytes after the cut.
    fn torn(&mut self, file: usize) -> Vec<u8> {
        let durable = self.files[file].clone();
        let path = self.live.iter().find(|(_, live)| **live == Some(file)).map(|(path, _)| path.clone());
        let Some(Ok(now)) = path.map(std::fs::read) else { return durable };
        match self.chance(4) {
            0 => durable,
            1 => now,
            _ if now.len() <= durable.len() => {
                if self.chance(2) == 0 {
                    durable
                } else {
                    now
                }
            }
            kind => {
                // The appended part is there up to somewhere; beyond it the size may have grown over zeros.
                let kept = durable.len() + self.chance((now.len() - durable.len()) as u64) as usize;
                let mut bytes = now[..kept].to_vec();
                if kind == 3 {
                    bytes.resize(now.len(), 0);
                }
                bytes
            }
        }
    }

    /// A number below `n`; the same for the same seed and order of calls.
    fn chance(&mut self, n: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.seed;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % n
    }
}

fn lost() -> io::Error {
    io::Error::other("the power is cut (simulated)")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
