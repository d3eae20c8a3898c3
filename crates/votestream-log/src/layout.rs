//! What lies where in a log's directory, and its identity. Segments' contents are left to `segment` and `batch`.

use crate::disk::Disk;
use crate::error::LogError;
use crate::url::{Codec, DirLogUrl, PARTITIONS_MAX};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use votestream_election::ids::{uuid_parse, uuid_text};
use votestream_election::{LogId, Offset, PartitionId};

/// The newest format that this build writes and reads.
pub(crate) const FORMAT: u64 = 1;

const IDENTITY: &str = "log.json";
const LOCK: &str = "lock";
const INCARNATION: &str = "incarnation";
const MARK: &str = "synced";
const SOURCES: &str = "sources";

/// What `log.json` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) log_id: LogId,
    pub(crate) partitions: u32,
    pub(crate) codec: Codec,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    format: u64,
    log_id: String,
    partitions: u32,
    codec: String,
}

#[derive(Deserialize)]
struct AnyIdentityFile {
    format: u64,
}

pub(crate) fn identity_path(root: &Path) -> PathBuf {
    root.join(IDENTITY)
}

pub(crate) fn lock_path(root: &Path) -> PathBuf {
    root.join(LOCK)
}

pub(crate) fn partition_dir(root: &Path, partition: PartitionId) -> PathBuf {
    root.join(partition.0.to_string())
}

pub(crate) fn mark_path(partition_dir: &Path) -> PathBuf {
    partition_dir.join(MARK)
}

pub(crate) fn sources_path(partition_dir: &Path) -> PathBuf {
    partition_dir.join(SOURCES)
}

pub(crate) fn segment_path(partition_dir: &Path, base: Offset) -> PathBuf {
    partition_dir.join(format!("{:020}.log", base.0))
}

/// The base offsets of a partition's segments, ascending; at least one.
pub(crate) fn segments(partition_dir: &Path) -> Result<Vec<Offset>, LogError> {
    let failed = |error| LogError::io("read", partition_dir, error);
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(partition_dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".log")) else { continue };
        let base =
            stem.parse().ok().filter(|_| stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit()));
        let path = partition_dir.join(&name);
        bases.push(Offset(base.ok_or_else(|| {
            LogError::corrupt(&path, 0, "a segment's name is its first offset in 20 digits")
        })?));
    }
    bases.sort_unstable();
    if bases.is_empty() {
        return Err(LogError::corrupt(partition_dir, 0, "the partition has no segment file"));
    }
    Ok(bases)
}

impl Identity {
    /// Reads `log.json`; `None` when it is not there.
    pub(crate) fn load(root: &Path) -> Result<Option<Self>, LogError> {
        let path = identity_path(root);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("read", &path, error)),
        };
        let corrupt = |what: String| LogError::corrupt(&path, 0, what);
        let any: AnyIdentityFile =
            serde_json::from_slice(&text).map_err(|error| corrupt(error.to_string()))?;
        if any.format != FORMAT {
            return Err(LogError::NewerFormat {
                path: root.to_owned(),
                found: any.format,
                supported: FORMAT,
            });
        }
        let file: IdentityFile = serde_json::from_slice(&text).map_err(|error| corrupt(error.to_string()))?;
        let id = uuid_parse(&file.log_id)
            .ok_or_else(|| corrupt(format!("log_id \"{}\" is no UUID", file.log_id)))?;
        let codec = Codec::by_name(&file.codec)
            .ok_or_else(|| corrupt(format!("codec \"{}\" is unknown", file.codec)))?;
        if !(1..=PARTITIONS_MAX).contains(&file.partitions) {
            return Err(corrupt(format!("partitions {} is not from 1 to {PARTITIONS_MAX}", file.partitions)));
        }
        Ok(Some(Self { log_id: LogId(id), partitions: file.partitions, codec }))
    }

    /// Writes `log.json`, the last step of making a log.
    pub(crate) fn store(&self, root: &Path, disk: &Disk) -> Result<(), LogError> {
        let file = IdentityFile {
            format: FORMAT,
            log_id: uuid_text(self.log_id.0),
            partitions: self.partitions,
            codec: self.codec.name().to_owned(),
        };
        let mut text = serde_json::to_string_pretty(&file).expect("plain fields serialise");
        text.push('\n');
        let path = identity_path(root);
        disk.replace(&path, text.as_bytes()).map_err(|error| LogError::io("write", &path, error))
    }

    /// Refuses a URL that asks for another log than this.
    pub(crate) fn check(&self, url: &DirLogUrl) -> Result<(), LogError> {
        let path = || url.path.clone();
        match (url.partitions, url.codec) {
            (Some(asked), _) if asked != self.partitions => {
                Err(LogError::OtherPartitions { path: path(), stored: self.partitions, asked })
            }
            (_, Some(asked)) if asked != self.codec => {
                Err(LogError::OtherCodec { path: path(), stored: self.codec, asked })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn partition_ids(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions).map(PartitionId)
    }
}

/// Reads the incarnation of the last writer.
pub(crate) fn load_incarnation(root: &Path) -> Result<i32, LogError> {
    let path = root.join(INCARNATION);
    let text = std::fs::read_to_string(&path).map_err(|error| LogError::io("read", &path, error))?;
    let number = text.trim_ascii_end().parse().ok().filter(|number| (0..i32::MAX).contains(number));
    number.ok_or_else(|| {
        LogError::corrupt(&path, 0, format!("incarnation {text:?} is no whole number below 2^31"))
    })
}

/// Writes the incarnation, durably.
pub(crate) fn store_incarnation(root: &Path, incarnation: i32, disk: &Disk) -> Result<(), LogError> {
    let path = root.join(INCARNATION);
    disk.replace(&path, format!("{incarnation}\n").as_bytes())
        .map_err(|error| LogError::io("write", &path, error))
}

/// The first thing in a directory without `log.json` that a log's half-made directory would not have; `None`: it may become a log.
pub(crate) fn foreign(root: &Path) -> Result<Option<String>, LogError> {
    let failed = |error| LogError::io("read", root, error);
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = match name.as_str() {
            LOCK | INCARNATION | "incarnation.tmp" | "log.json.tmp" => path.is_file(),
            _ => name.parse::<u32>().is_ok() && path.is_dir() && holds_no_records(&path)?,
        };
        if !ours {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn holds_no_records(dir: &Path) -> Result<bool, LogError> {
    let failed = |error| LogError::io("read", dir, error);
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let empty = path == segment_path(dir, Offset(0)) && path.metadata().map_err(failed)?.len() == 0;
        if !empty && path != mark_path(dir) {
            return Ok(false);
        }
    }
    Ok(true)
}
