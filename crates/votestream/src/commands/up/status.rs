//! The status line of `up`: how far the count is, how fast, and what it costs.

use crate::progress::grouped;
use votestream_engine::count::Committed;
use votestream_sim::Simulation;

/// One compact line.
pub fn line(committed: &Committed, simulation: &Simulation) -> String {
    let health = &committed.health;
    let counted: u64 = committed.next.iter().map(|next| next.0).sum();
    let part = counted as f64 / simulation.records().max(1) as f64 * 100.0;
    let latency = health.commit_p99_ms.map(|ms| format!(" · commit p99 {ms:.0} ms")).unwrap_or_default();
    let paused = health.paused.as_ref().map(|why| format!(" · PAUSED: {why}")).unwrap_or_default();
    format!(
        "{} of {} records counted ({:.1} %) · {} records/s{latency} · backlog {}{paused}",
        grouped(counted),
        grouped(simulation.records()),
        part.min(100.0),
        grouped(health.records_per_s as u64),
        grouped(health.backlog)
    )
}
