//! `doctor`: looks at a set-up and says line by line what is well and what is not, and what to do.

use crate::args::Doctor;
use crate::progress::grouped;
use crate::{Outcome, commands::dir_log};
use anyhow::Result;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use votestream_election::{Offset, PartitionId};
use votestream_log::{DirLogUrl, LogReader};
use votestream_store::{ReaderStore, StoreError, StoreUrl};

/// Free disk below which a warning is given, in bytes.
const DISK_LOW_BYTES: u64 = 2 << 30;

/// What cures a store that cannot be read.
const REBUILD: &str =
    "restore it from a copy, or rebuild it from the log with `votestream recount --from-scratch`";

/// One check's answer.
enum Check {
    Well(String),
    Fault { what: String, next: String },
}

/// Runs the command.
pub fn run(args: &Doctor) -> Result<Outcome> {
    let data = args.data.clone().unwrap_or_else(|| PathBuf::from("votestream-data"));
    let named = args.log.is_some() || args.store.is_some();
    let mut checks = Vec::new();
    let log = match &args.log {
        Some(url) => Some(dir_log(url)?),
        None => (!named && data.exists()).then(|| DirLogUrl::new(data.join("log"))),
    };
    let store = match &args.store {
        Some(url) => Some(url.parse::<StoreUrl>()?),
        None => (!named && data.exists()).then(|| StoreUrl::sqlite(data.join("results.db"))),
    };
    if log.is_none() && store.is_none() {
        checks
            .push(Check::Well(format!("no data at '{}' yet: `votestream up` will make it", data.display())));
    }
    let reader = log.as_ref().and_then(|url| check_log(url, &mut checks));
    if let Some(url) = &store {
        check_store(url, reader.as_ref(), &mut checks);
    }
    check_disk(log.as_ref().map_or(Path::new("."), |l| &l.path), &mut checks);
    check_memory(&mut checks);
    check_ports(&mut checks);
    let mut out = std::io::stdout().lock();
    let mut faults = 0;
    for check in &checks {
        match check {
            Check::Well(what) => writeln!(out, "✓ {what}")?,
            Check::Fault { what, next } => {
                faults += 1;
                writeln!(out, "✗ {what}\n  → {next}")?;
            }
        }
    }
    Ok(if faults == 0 { Outcome::Done } else { Outcome::No })
}

fn check_log(url: &DirLogUrl, checks: &mut Vec<Check>) -> Option<LogReader> {
    let opened = LogReader::open(url, None).and_then(|log| log.end_offsets().map(|ends| (log, ends)));
    match opened {
        Ok((log, ends)) => {
            let records: u64 = ends.iter().map(|end| end.0).sum();
            checks.push(Check::Well(format!(
                "log '{}': {} records on {} partitions",
                url.path.display(),
                grouped(records),
                log.partitions()
            )));
            check_tails(&log, &ends, checks);
            Some(log)
        }
        Err(error) => {
            let next =
                "the message says what to do; `votestream up` makes a log where there is none".to_owned();
            checks.push(Check::Fault { what: format!("log: {error}"), next });
            None
        }
    }
}

/// Whether each partition can be read at its end: a cut or damaged last segment shows here.
fn check_tails(log: &LogReader, ends: &[Offset], checks: &mut Vec<Check>) {
    for (p, end) in ends.iter().enumerate().filter(|(_, end)| end.0 > 0) {
        let partition = PartitionId(p as u32);
        let last = Offset(end.0 - 1);
        let read = log
            .partition(partition, last)
            .and_then(|mut reader| reader.next_batch().map(|batch| batch.is_some()));
        let what = match read {
            Ok(true) => continue,
            Ok(false) => format!("partition {p} of the log does not reach its last synced offset {end}"),
            Err(error) => format!("partition {p} of the log cannot be read at its end: {error}"),
        };
        let next = "restore the log's files from a copy; what is counted stays counted".to_owned();
        checks.push(Check::Fault { what, next });
    }
}

fn check_store(url: &StoreUrl, log: Option<&LogReader>, checks: &mut Vec<Check>) {
    let store = match ReaderStore::open(url) {
        Ok(store) => store,
        Err(error) => {
            let next = match error {
                StoreError::Corrupt { .. } => REBUILD.to_owned(),
                _ => "count into it first, or name another with --store".to_owned(),
            };
            checks.push(Check::Fault { what: format!("store: {error}"), next });
            return;
        }
    };
    let elections = match store.elections() {
        Ok(elections) => elections,
        Err(error) => {
            let next = REBUILD.to_owned();
            checks.push(Check::Fault { what: format!("store: {error}"), next });
            return;
        }
    };
    checks.push(Check::Well(format!("store {url}: {} elections", elections.len())));
    for head in elections {
        if let Err(error) = store.verify(&head.id) {
            let next = "rebuild it with `votestream recount --from-scratch`".to_owned();
            checks.push(Check::Fault { what: format!("election '{}': {error}", head.id), next });
            continue;
        }
        checks.push(Check::Well(format!("election '{}': its rows add up", head.id)));
        check_lag(&store, &head.id, log, checks);
    }
}

fn check_lag(store: &ReaderStore, election: &str, log: Option<&LogReader>, checks: &mut Vec<Check>) {
    let Some(log) = log else { return };
    let (Ok(pin), Ok(snapshot), Ok(ends)) =
        (store.pin(election), store.snapshot(election), log.end_offsets())
    else {
        return;
    };
    if pin.log_id != log.log_id() {
        checks.push(Check::Fault {
            what: format!(
                "election '{election}' was counted from another log ({}) than this ({})",
                pin.log_id,
                log.log_id()
            ),
            next: "name the log it was begun with, or count into a new store".to_owned(),
        });
        return;
    }
    for progress in &snapshot.progress {
        let end = ends.get(progress.partition.0 as usize).copied().unwrap_or_default();
        let lag = end.0.saturating_sub(progress.next_offset.0);
        if lag == 0 {
            checks.push(Check::Well(format!(
                "partition {}: counted to its end, offset {end}",
                progress.partition
            )));
        } else {
            checks.push(Check::Fault {
                what: format!(
                    "partition {}: {} records are not counted yet",
                    progress.partition,
                    grouped(lag)
                ),
                next: "is `votestream count` running? start it; while it runs the number should fall"
                    .to_owned(),
            });
        }
    }
}

fn check_disk(path: &Path, checks: &mut Vec<Check>) {
    let Some(free) = free_bytes(path) else { return };
    let megabytes = grouped(free >> 20);
    if free < DISK_LOW_BYTES {
        checks.push(Check::Fault {
            what: format!("only {megabytes} MiB of disk are free"),
            next: "free some: 155 million votes take about 7 GB of log and results".to_owned(),
        });
    } else {
        checks.push(Check::Well(format!("{megabytes} MiB of disk are free")));
    }
}

/// Bytes free for this user on the disk of `path`, or of its nearest parent that exists.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn check_memory(checks: &mut Vec<Check>) {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return };
    let kib = text.lines().find_map(|l| {
        l.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    let Some(mib) = kib.map(|kib| kib / 1024) else { return };
    if mib < 512 {
        checks.push(Check::Fault {
            what: format!("only {} MiB of memory are available", grouped(mib)),
            next: "counting needs about 12 bytes a voter: 2 GiB for 155 million".to_owned(),
        });
    } else {
        checks.push(Check::Well(format!("{} MiB of memory are available", grouped(mib))));
    }
}

fn check_ports(checks: &mut Vec<Check>) {
    for (port, what) in [(8501, "results and page"), (5000, "generated votes")] {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => checks.push(Check::Well(format!("port {port} ({what}) is free"))),
            Err(_) => checks.push(Check::Well(format!(
                "port {port} ({what}) is in use, by votestream or another program; `up` would take the next free one"
            ))),
        }
    }
}
