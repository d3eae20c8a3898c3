//! This machine: disk, memory, ports.

use super::lines::Lines;
use crate::progress::grouped;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// Free disk below which a fault is told, in bytes.
const DISK_LOW_BYTES: u64 = 2 << 30;
/// Memory that a worker takes for each voter counted, in bytes (docs/operating.md, "Memory").
const VOTER_BYTES: u64 = 12;
/// What a worker takes besides, in bytes.
const BASE_BYTES: u64 = 256 << 20;

/// Whether there is room on the disk of `path`.
pub(super) fn disk(path: &Path, lines: &mut Lines) {
    let Some(free) = free_bytes(path) else { return };
    let megabytes = grouped(free >> 20);
    if free < DISK_LOW_BYTES {
        lines.fault(
            format!("only {megabytes} MiB of disk are free"),
            "free some: 155 million votes take about 7 GB of log and results",
        );
    } else {
        lines.well(format!("{megabytes} MiB of disk are free"));
    }
}

/// Bytes free for this user on the disk of `path`, or of its nearest parent that exists.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether the voters that are expected fit.
pub(super) fn memory(voters: Option<u64>, lines: &mut Lines) {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return };
    let available = text.lines().find_map(|line| {
        let kib = line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?;
        kib.trim().parse::<u64>().ok()
    });
    if let Some(kib) = available {
        judge_memory(kib.saturating_mul(1024), voters, lines);
    }
}

fn judge_memory(available: u64, voters: Option<u64>, lines: &mut Lines) {
    let needed = BASE_BYTES + voters.unwrap_or(0).saturating_mul(VOTER_BYTES);
    let (have, want) = (grouped(available >> 20), grouped(needed >> 20));
    let for_whom = voters.map_or(String::new(), |n| format!(" for the {} voters expected", grouped(n)));
    if available < needed {
        lines.fault(
            format!("only {have} MiB of memory are available; one worker takes about {want}{for_whom}"),
            "end other programs, add memory, or share the partitions among workers on several machines",
        );
    } else {
        lines.well(format!("{have} MiB of memory are available; one worker takes about {want}{for_whom}"));
    }
}

/// Whether the usual ports are taken.
pub(super) fn ports(lines: &mut Lines) {
    for (port, what) in [(8501, "results and page"), (5000, "generated votes")] {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        lines.well(if free {
            format!("port {port} ({what}) is free")
        } else {
            format!(
                "port {port} ({what}) is in use, by votestream or another program; `up` and `serve` take the next free one, --listen another"
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_for_the_voters_expected() {
        let check = |mib: u64, voters: Option<u64>, expect: &str| {
            let mut lines = Lines::default();
            judge_memory(mib << 20, voters, &mut lines);
            assert!(lines.text().starts_with(expect), "{}", lines.text());
        };
        check(
            8_000,
            Some(155_212_715),
            "✓ 8,000 MiB of memory are available; one worker takes about 2,032 for the 155,212,715",
        );
        check(1_000, Some(155_212_715), "✗ only 1,000 MiB");
        check(1_000, None, "✓ 1,000 MiB");
        check(100, None, "✗ only 100 MiB");
    }
}
