//! What an archiver tells of itself: `archive --metrics ADDR`.

use crate::commands::now;
use crate::commands::source::{cancelled_by, runtime};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use votestream_engine::Shutdown;
use votestream_engine::archive::Archived;
use votestream_log::LogReader;
use votestream_server::serve_metrics;

/// Every metric: its name, its kind and what it says.
const METRICS: [(&str, &str, &str); 7] = [
    ("votestream_archive_records_total", "counter", "records archived since the archiver was started"),
    ("votestream_archive_bytes_total", "counter", "bytes of the files made since then"),
    ("votestream_archive_files_total", "counter", "files made since then"),
    ("votestream_archive_compacted_files_total", "counter", "files put together into larger ones since then"),
    ("votestream_archive_backlog_records", "gauge", "offsets of the log that are not archived yet"),
    ("votestream_archive_writing", "gauge", "1 when this archiver writes, 0 while it waits for another one"),
    (
        "votestream_archive_last_commit_seconds",
        "gauge",
        "when something was archived last, seconds since 1970; 0: not yet",
    ),
];

/// What was told last.
#[derive(Default)]
pub(super) struct Told {
    archived: Archived,
    commit_ms: i64,
}

/// Keeps what an archiver tells for whoever scrapes it.
pub(super) type Telling = Arc<Mutex<Told>>;

/// Takes a notice.
pub(super) fn tell(telling: &Telling, archived: &Archived) {
    let mut told = telling.lock().unwrap_or_else(PoisonError::into_inner);
    if archived.files > told.archived.files {
        told.commit_ms = now().0;
    }
    told.archived = archived.clone();
}

/// Serves the metrics beside archiving, until told to stop; where they are is said in the log.
pub(super) fn serve(
    address: SocketAddr,
    telling: &Telling,
    log: &Arc<LogReader>,
    shutdown: &Shutdown,
) -> Result<()> {
    let listener = crate::listen::bind(Some(address), address.port(), "--metrics")?;
    tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let (telling, log, token) = (Arc::clone(telling), Arc::clone(log), cancelled_by(shutdown));
    let text = Arc::new(move || {
        // Asked now: while the storage takes nothing, nobody else asks.
        let ends = log.refresh_ends().or_else(|_| log.end_offsets()).unwrap_or_default();
        let told = telling.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = told.archived.next.iter().zip(&ends).map(|(next, end)| end.0.saturating_sub(next.0));
        page(&told, behind.sum())
    });
    let runtime = runtime()?;
    std::thread::Builder::new()
        .name("metrics".into())
        .spawn(move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serve_metrics(listener, text, token).await,
                    Err(error) => tracing::warn!("metrics cannot be served: {error}"),
                }
            });
        })
        .context("cannot start the thread that serves metrics")?;
    Ok(())
}

fn page(told: &Told, backlog: u64) -> String {
    let Archived { records, bytes, files, compacted, waiting, .. } = told.archived;
    let seconds = format!("{:.3}", told.commit_ms as f64 / 1_000.0);
    let counts = [records, bytes, files, compacted, backlog, u64::from(!waiting)].map(|n| n.to_string());
    let mut text = String::new();
    for ((name, kind, help), value) in METRICS.iter().zip(counts.into_iter().chain([seconds])) {
        // Writing to a string does not fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_value_and_is_documented() {
        let archived = Archived { records: 5, waiting: true, ..Archived::default() };
        let text = page(&Told { archived, commit_ms: 1_500 }, 7);
        for line in [
            "votestream_archive_records_total 5\n",
            "votestream_archive_backlog_records 7\n",
            "votestream_archive_writing 0\n",
            "votestream_archive_last_commit_seconds 1.500\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let document = include_str!("../../../../../docs/archive.md");
        for (name, ..) in METRICS {
            assert!(
                text.contains(&format!("# HELP {name} ")) && document.contains(&format!("`{name}`")),
                "{name}"
            );
        }
    }
}
