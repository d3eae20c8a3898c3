//! An archive in HDFS. A file is written under a staging name, synced, closed, then renamed to its own unless that is taken: an open
//! file would be there for all to see, and a rename that replaces would overwrite another archiver's.
//!
//! User from `HADOOP_USER_NAME`, configuration from `HADOOP_CONF_DIR`, as Hadoop's own programs have them.

use super::wait::{Waits, first_line};
use super::{Found, Place, PlaceError, Put, Trouble};
use bytes::Bytes;
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ends the names of files that are being written.
const UNFINISHED: &str = ".unfinished";
/// An unfinished file that nobody has written to for so long is nobody's.
const ABANDONED_MS: u64 = 3_600_000;
/// A long list takes as long as so many bytes.
const LIST_BYTES: u64 = 1 << 26;
/// Files under way at once: closing one takes the client half a second, however small it is.
const WIDTH: usize = 8;
/// How often a NameNode that does not answer is asked, in the client: more would keep this one from saying what is wrong.
const ATTEMPTS: &str = "3";
/// The archive is not public: nobody but its owner and his group may read a file.
const PERMISSION: u32 = 0o640;

/// A directory of HDFS.
#[derive(Debug)]
pub struct HdfsPlace {
    url: String,
    /// The directory, from the root, with a slash before and none after.
    root: String,
    client: Client,
    waits: Waits,
    /// Tells this process's staging names from each other.
    serial: AtomicU64,
}

impl HdfsPlace {
    /// The directory at `path`, which need not be there yet.
    pub fn new(authority: &str, path: &str, patience: Duration) -> Result<Self, PlaceError> {
        let url = format!("hdfs://{authority}/{path}");
        let waits = Waits::new(patience)?;
        let client = ClientBuilder::new()
            .with_url(format!("hdfs://{authority}"))
            .with_config([("dfs.client.failover.max.attempts", ATTEMPTS)])
            .with_io_runtime(waits.handle())
            .build()
            .map_err(|error| place_error("reach", &url, &error))?;
        Ok(Self { url, root: format!("/{path}"), client, waits, serial: AtomicU64::new(0) })
    }

    fn path(&self, name: &str) -> String {
        if name.is_empty() { self.root.clone() } else { format!("{}/{name}", self.root) }
    }

    async fn write(&self, staging: &str, path: &str, bytes: Bytes) -> Result<Put, HdfsError> {
        let options = WriteOptions::default().permission(PERMISSION);
        // The client's futures are large.
        let mut file = Box::pin(self.client.create(staging, options)).await?;
        Box::pin(file.write_bytes(bytes)).await?;
        file.hsync().await?;
        Box::pin(file.close()).await?;
        match self.client.rename(staging, path, false).await {
            Ok(()) => Ok(Put::Created),
            Err(HdfsError::AlreadyExists(_)) => Ok(Put::Exists),
            Err(error) => Err(error),
        }
    }

    /// All files below a directory. To go through a large one may take long; that the NameNode says whether it is there may not.
    fn found(&self, directory: &str) -> Result<Vec<FileStatus>, PlaceError> {
        let path = self.path(directory);
        let failed = |error: HdfsError| place_error("list", &path, &error);
        let there = self.waits.within(("list", &path, 0), async {
            match self.client.get_file_info(&path).await {
                Ok(_) => Ok(true),
                Err(error) if is_missing(&error) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })?;
        if !there {
            return Ok(Vec::new());
        }
        self.waits.within(("list", &path, LIST_BYTES), async {
            match self.client.list_status(&path, true).await {
                Ok(found) => Ok(found.into_iter().filter(|found| !found.isdir).collect()),
                Err(error) if is_missing(&error) => Ok(Vec::new()),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn name(&self, found: &FileStatus) -> Option<String> {
        // The path may be given with or without the server's name.
        let (_, name) = found.path.split_once(&format!("{}/", self.root))?;
        Some(name.to_owned())
    }
}

impl Place for HdfsPlace {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn hurry(&self) {
        self.waits.hurry();
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        let path = self.path(name);
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let (process, serial) = (std::process::id(), self.serial.fetch_add(1, Ordering::Relaxed));
        let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let staging = format!("{directory}/.{file}.{process}.{began}.{serial}{UNFINISHED}");
        let size = bytes.len() as u64;
        let put = self.waits.within(("write", name, size), async {
            // Spares writing what is there already.
            match self.client.get_file_info(&path).await {
                Ok(_) => return Ok(Put::Exists),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(place_error("write", name, &error)),
            }
            Box::pin(self.write(&staging, &path, bytes))
                .await
                .map_err(|error| place_error("write", name, &error))
        });
        if !matches!(put, Ok(Put::Created)) {
            // As far as that goes: what is left is deleted when the next archiver starts, once it is old.
            drop(self.waits.within(("delete", &staging, 0), async {
                self.client
                    .delete(&staging, false)
                    .await
                    .map_err(|error| place_error("delete", &staging, &error))
            }));
        }
        put
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        let path = self.path(name);
        // Only what its size asks for is waited for: a NameNode that is silent is not taken for one that is busy.
        let opened = self.waits.within(("read", name, 0), async {
            match self.client.read(&path).await {
                Ok(file) => Ok(Some(file)),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(place_error("read", name, &error)),
            }
        })?;
        let Some(mut file) = opened else { return Ok(None) };
        let length = file.file_length();
        self.waits.within(("read", name, length as u64), async {
            match file.read_bytes(length).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(place_error("read", name, &error)),
            }
        })
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        let found = self.found(directory)?;
        let finished = found.into_iter().filter(|found| !found.path.ends_with(UNFINISHED));
        Ok(finished
            .filter_map(|found| Some(Found { name: self.name(&found)?, bytes: found.length as u64 }))
            .collect())
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        self.waits.within(("delete", name, 0), async {
            match self.client.delete(&self.path(name), false).await {
                Ok(_) => Ok(()),
                Err(error) if is_missing(&error) => Ok(()),
                Err(error) => Err(place_error("delete", name, &error)),
            }
        })
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        let found = self.found("")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let old = |found: &&FileStatus| now.saturating_sub(found.modification_time) > ABANDONED_MS;
        for left in found.iter().filter(|found| found.path.ends_with(UNFINISHED)).filter(old) {
            if let Some(name) = self.name(left) {
                self.delete(&name)?;
            }
        }
        Ok(())
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

/// Nothing is there: some calls of the client say so themselves, in others it is the NameNode's own exception.
fn is_missing(error: &HdfsError) -> bool {
    match error {
        HdfsError::FileNotFound(_) => true,
        HdfsError::RPCError(class, _) => class.ends_with(".FileNotFoundException"),
        _ => false,
    }
}

fn place_error(act: &'static str, name: &str, error: &HdfsError) -> PlaceError {
    let text = error.to_string();
    let says = |word: &str| text.contains(word);
    let trouble = match error {
        _ if says("SafeModeException") || says("safe mode") => Trouble::NotReady,
        _ if says("AccessControlException") => Trouble::Denied,
        _ if says("QuotaExceededException") => Trouble::Full,
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => Trouble::Denied,
        HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::IsADirectoryError(_)
        | HdfsError::UnsupportedFeature(_)
        | HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::XmlParseError(_)
        | HdfsError::ChecksumError => Trouble::Other,
        // A NameNode that starts, a DataNode that was lost, a lease that was taken: all of these pass.
        _ => Trouble::Away,
    };
    PlaceError { act, name: name.to_owned(), what: first_line(&text), trouble }
}
