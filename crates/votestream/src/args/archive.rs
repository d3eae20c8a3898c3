//! What `archive` may be told.

use super::ElectionArgs;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Archive a log, or prune an archive.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ArchiveCommand {
    /// Something else than archiving.
    #[command(subcommand)]
    pub act: Option<ArchiveAct>,
    /// Archive a log.
    #[command(flatten)]
    pub archive: Archive,
}

/// What is done to an archive beside archiving.
#[derive(Debug, Subcommand)]
pub enum ArchiveAct {
    /// Let the oldest rows go: what they came to stays, leaf by leaf, and who has voted, without a choice
    Prune(Prune),
}

/// Prune an archive.
#[derive(Debug, Args)]
pub struct Prune {
    /// Where the archive is: file:PATH, s3://BUCKET/PREFIX or hdfs://NAMENODE:PORT/PATH
    #[arg(long, value_name = "ARCHIVE-URL", env = "VOTESTREAM_ARCHIVE")]
    pub archive: String,
    /// Up to where: a time such as 2024-11-06T02:30:00Z (of the log), an offset of every partition, or PARTITION:OFFSET; repeatable.
    /// Whole leaves of 65,536 offsets go, with the files that hold nothing else
    #[arg(long, value_name = "TIME|OFFSET", required = true)]
    pub before: Vec<String>,
    /// The results store: nothing goes that it has not counted, or that its ledger has otherwise
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: Option<String>,
    /// How long the files live on, for those who read them
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub grace: Duration,
}

/// Archive a log.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "fields are named as the flags")]
pub struct Archive {
    /// The log to archive: dir:PATH or kafka://host:port/topic
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG", required = true)]
    pub log: Option<String>,
    /// Where the archive is, made when absent, continued when present: file:PATH, s3://BUCKET/PREFIX or hdfs://NAMENODE:PORT/PATH
    #[arg(long, value_name = "ARCHIVE-URL", env = "VOTESTREAM_ARCHIVE", required = true)]
    pub archive: Option<String>,
    /// The results store whose election is archived, instead of --election; where the storage ignores create-if-absent, it keeps the
    /// manifest's head
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: Option<String>,
    /// Stop at the log's end as it is now
    #[arg(long)]
    pub until_end: bool,
    /// Keep the value of every record, not only of rejected ones: from such an archive a log can be made again
    #[arg(long, help_heading = "What is kept")]
    pub keep_bytes: bool,
    /// How voters are kept: their ids as they are, or pseudonyms under a key
    #[arg(long, value_enum, default_value_t = VoterIds::AsIs, help_heading = "What is kept")]
    pub voter_ids: VoterIds,
    /// With pseudonyms: a file with their key, 64 hexadecimal digits
    #[arg(long, value_name = "FILE", env = "VOTESTREAM_PSEUDONYM_KEY_FILE", help_heading = "What is kept")]
    pub pseudonym_key: Option<PathBuf>,
    /// A file ends at about this size …
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size, help_heading = "Files")]
    pub roll_size: u64,
    /// … or when its first record has waited this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time, help_heading = "Files")]
    pub roll_age: Duration,
    /// How long files live on after they were put together or pruned, for those who read them
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, help_heading = "Files")]
    pub grace: Duration,
    /// How long another archiver may say nothing before this one takes over [default: twice --roll-age and 30 s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub silence: Option<Duration>,
    /// Memory for files that are being made, all partitions together
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size, help_heading = "Files")]
    pub memory: u64,
    /// Serve metrics for Prometheus there, such as 127.0.0.1:9187
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// Threads that read [default: one a core, at most one a partition]
    #[arg(long, value_name = "N", env = "VOTESTREAM_THREADS")]
    pub threads: Option<usize>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// How voters are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VoterIds {
    /// Integer ids as they are, of other ids the key that the results store keeps too
    AsIs,
    /// Of every id a keyed hash: nobody without the key can tell whose a vote is
    Pseudonym,
}

/// A number of bytes: `64MiB`, `512M`, `1GB`, `4096`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("K", 1 << 10),
        ("M", 1 << 20),
        ("G", 1 << 30),
        ("", 1),
    ];
    let found =
        units.iter().find_map(|(unit, bytes)| text.trim().strip_suffix(unit).map(|number| (number, *bytes)));
    let (number, bytes) = found.unwrap_or((text, 1));
    let number: Option<u64> = number.trim().parse().ok().filter(|number| *number > 0);
    number
        .and_then(|number| number.checked_mul(bytes))
        .ok_or_else(|| format!("'{text}' is no size; write such as 64MiB, 1GB or a number of bytes"))
}

/// A time: `500ms`, `30s`, `5m`, `1h`, `2d`.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let found =
        units.iter().find_map(|(unit, ms)| text.trim().strip_suffix(unit).map(|number| (number, *ms)));
    let ms = found.and_then(|(number, ms)| number.trim().parse::<u64>().ok()?.checked_mul(ms));
    ms.map(Duration::from_millis)
        .ok_or_else(|| format!("'{text}' is no time; write such as 500ms, 30s, 5m, 1h or 2d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1 GB"), Ok(1_000_000_000));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("5m"), Ok(Duration::from_mins(5)));
        for wrong in ["", "x", "0", "-1", "1TB", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "5", "m", "1w", "-1s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
