//! The directory of one measurement: made new, gone afterwards, whatever ended it. Nothing that was there before is touched.

use crate::commands::doctor;
use crate::progress::grouped;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use votestream_sim::Simulation;

/// Disk that a vote takes at most, log and results together, in bytes.
const DISK_BYTES_A_VOTE: u64 = 45;
/// Disk that the stages and the waits take beside the path, in bytes.
const BESIDE_BYTES: u64 = 1 << 30;

/// A directory that is removed with all that is in it.
pub struct Room {
    path: PathBuf,
    /// The directories above it that were not there before, the deepest first.
    made: Vec<PathBuf>,
}

impl Room {
    /// Makes one in `dir`, or where the system keeps what is temporary, if the disk has room for what will be written.
    pub fn make(dir: Option<&Path>, simulation: &Simulation) -> Result<Self> {
        let dir = place(dir);
        let needed = simulation.records() * DISK_BYTES_A_VOTE + BESIDE_BYTES;
        let mib = |bytes: u64| grouped(bytes.div_ceil(1 << 20));
        match doctor::free_bytes(&dir) {
            Some(free) if free < needed => bail!(
                "'{}' has {} MiB of disk free and measuring {} votes takes up to {}; free some, measure fewer with --votes, or name another disk with --dir",
                dir.display(),
                mib(free),
                grouped(simulation.votes()),
                mib(needed)
            ),
            _ => {}
        }
        Self::in_dir(&dir)
    }

    /// Makes one for a few megabytes.
    pub fn small(dir: Option<&Path>) -> Result<Self> {
        Self::in_dir(&place(dir))
    }

    fn in_dir(dir: &Path) -> Result<Self> {
        let missing = |above: &&Path| !above.as_os_str().is_empty() && !above.exists();
        let made = dir.ancestors().take_while(missing).map(Path::to_owned).collect();
        let path = dir.join(format!("votestream-bench-{}", std::process::id()));
        let cannot = || {
            format!("cannot make '{}'; name a directory that may be written to with --dir", path.display())
        };
        std::fs::create_dir_all(dir).with_context(cannot)?;
        std::fs::create_dir(&path).with_context(cannot)?;
        Ok(Self { path, made })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new directory in it.
    pub fn sub(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make '{}'", path.display()))?;
        Ok(path)
    }

    /// Removes a directory in it before the rest goes.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove '{}'", path.display()))
    }
}

/// Where it is asked for, or where the system keeps what is temporary.
fn place(dir: Option<&Path>) -> PathBuf {
    dir.map_or_else(std::env::temp_dir, Path::to_owned)
}

/// Bytes of all files under a directory, or of the file.
pub fn bytes_under(path: &Path) -> u64 {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| bytes_under(&entry.path())).sum(),
        Err(_) => path.metadata().map_or(0, |meta| meta.len()),
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!("'{}' is left over ({error}); remove it", self.path.display());
        }
        for dir in &self.made {
            // Only when nobody else has put something there meanwhile.
            drop(std::fs::remove_dir(dir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_leaves_nothing_and_takes_nothing_that_was_there() {
        let outer = tempfile::tempdir().unwrap();
        let simulation =
            super::super::simulation(votestream_sim::Votes::Count(10), votestream_sim::Order::Night).unwrap();
        let dir = outer.path().join("new").join("newer");
        let room = Room::make(Some(&dir), &simulation).unwrap();
        std::fs::write(room.sub("log").unwrap().join("file"), "bytes").unwrap();
        let path = room.path().to_owned();
        assert!(path.exists());
        drop(room);
        assert!(!outer.path().join("new").exists());
        std::fs::write(outer.path().join("mine"), "kept").unwrap();
        drop(Room::make(Some(outer.path()), &simulation).unwrap());
        assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}
