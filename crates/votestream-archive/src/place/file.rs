//! An archive in a directory: each object a file, written beside its name, synced, then linked to it, then the directory synced.

use super::{Found, Place, PlaceError, Put, Trouble};
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Ends the names of files that are being written.
const UNFINISHED: &str = ".unfinished";

/// A directory.
#[derive(Debug)]
pub struct FilePlace {
    root: PathBuf,
    /// Tells this process's unfinished files from each other.
    serial: AtomicU64,
}

impl FilePlace {
    /// The directory at `root`, which need not be there yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root, serial: AtomicU64::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Put> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.root);
        make_dirs(parent)?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let beside = parent.join(format!(".{}.{serial}{UNFINISHED}", std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            // A link fails where the name is taken; a rename would replace what is there.
            match fs::hard_link(&beside, &path) {
                Ok(()) => Ok(Put::Created),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Exists),
                Err(error) => Err(error),
            }
        })();
        let removed = fs::remove_file(&beside);
        let put = written?;
        removed?;
        sync_dir(parent)?;
        Ok(put)
    }

    fn walk(&self, directory: &Path, found: &mut Vec<Found>, unfinished: bool) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_dir() {
                self.walk(&path, found, unfinished)?;
            } else if path.to_string_lossy().ends_with(UNFINISHED) == unfinished {
                let name =
                    path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                found.push(Found { name, bytes: metadata.len() });
            }
        }
        Ok(())
    }
}

impl Place for FilePlace {
    fn url(&self) -> String {
        format!("file:{}", self.root.display())
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        self.create(name, &bytes).map_err(|error| place_error("write", &self.path(name), &error))
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(place_error("read", &self.path(name), &error)),
        }
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        let (path, mut found) = (self.path(directory), Vec::new());
        self.walk(&path, &mut found, false).map_err(|error| place_error("list", &path, &error))?;
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(place_error("delete", &self.path(name), &error))
            }
            _ => Ok(()),
        }
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        let mut found = Vec::new();
        self.walk(&self.root, &mut found, true).map_err(|error| place_error("list", &self.root, &error))?;
        found
            .iter()
            .filter(|found| !belongs_to_the_living(&found.name))
            .try_for_each(|found| self.delete(&found.name))
    }
}

/// Whether the process that writes an unfinished file still runs, by the number in its name. One with this process's own number was left
/// by an earlier one: this one has not begun to write.
fn belongs_to_the_living(name: &str) -> bool {
    let number = name.rsplit('/').next().and_then(|name| name.split('.').nth(1)?.parse::<u32>().ok());
    number
        .is_some_and(|number| number != std::process::id() && Path::new(&format!("/proc/{number}")).exists())
}

/// Makes a directory and those above it, each of their names durable.
fn make_dirs(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_dirs(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => return Err(error),
        _ => {}
    }
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn place_error(act: &'static str, path: &Path, error: &io::Error) -> PlaceError {
    let trouble = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Trouble::Denied,
        // An unfinished file was tidied away by another archiver that starts: written again, it is there.
        io::ErrorKind::NotFound if act == "write" => Trouble::NotReady,
        _ => Trouble::Other,
    };
    PlaceError { act, name: path.display().to_string(), what: error.to_string(), trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_and_nothing_unfinished_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let place = FilePlace::new(dir.path().join("a/b"));
        assert_eq!(place.list("").unwrap(), []);
        assert_eq!(place.put_new("manifest/1", Bytes::from_static(b"one")).unwrap(), Put::Created);
        assert_eq!(place.put_new("manifest/1", Bytes::from_static(b"two")).unwrap(), Put::Exists);
        assert_eq!(place.get("manifest/1").unwrap().unwrap(), "one");
        assert_eq!(place.get("manifest/2").unwrap(), None);
        let left = dir.path().join(format!("a/b/manifest/.4294967295.0{UNFINISHED}"));
        fs::write(&left, b"half").unwrap();
        assert_eq!(place.list("manifest").unwrap(), [Found { name: "manifest/1".to_owned(), bytes: 3 }]);
        place.tidy().unwrap();
        assert!(!left.exists());
        place.delete("manifest/1").unwrap();
        place.delete("manifest/1").unwrap();
        assert_eq!(place.list("").unwrap(), []);
    }
}
