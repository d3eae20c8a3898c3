//! `serve`: the results API and the page over a store, with a log for POST and for rejected records where one is given.

mod door;

use crate::args::{GuardArgs, Serve};
use crate::commands::now;
use crate::commands::source::{cancelled_by, runtime};
use crate::{Outcome, contest, listen, signals};
use anyhow::{Context, Result};
use door::Door;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Election, Offset, PartitionId};
use votestream_engine::Shutdown;
use votestream_engine::produce::Router;
use votestream_log::{DirLogUrl, LogError, LogReader, LogUrl};
use votestream_server::{Asset, PartitionOf, Payloads, Seams, ServerConfig};
use votestream_store::{ReaderStore, StoreUrl};

/// How long a record may take to come from a topic.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);
/// How long to wait at once.
const FETCH_WAIT: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn run(args: &Serve) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let election = contest::stored(&args.election, &ReaderStore::open(&url)?)?;
    let log = args.log.as_deref().map(str::parse::<LogUrl>).transpose()?;
    let door = log.clone().map(Door::new);
    let listener = listen::bind(args.listen, 8501, "--listen")?;
    let config = config(&args.guard)?;
    config.validate(listener.local_addr()?)?;
    let shutdown = signals::listen()?;
    tracing::info!("results at http://{}", listener.local_addr()?);
    let seams = Seams {
        store: url,
        election_id: args.election.election.as_ref().map(|_| election.id.clone()),
        ingest: door.as_ref().map(|door| Door::intake(door, &election)).transpose()?,
        health: None,
        changed: None,
        page: &page,
        payloads: log.as_ref().map(payloads).transpose()?,
        clock: Arc::new(now),
    };
    runtime()?.block_on(serve(listener, config, seams, &shutdown))?;
    if let Some(door) = door {
        door.close()?;
    }
    Ok(Outcome::Done)
}

/// Serves until `shutdown` is raised.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    seams: Seams,
    shutdown: &Shutdown,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    votestream_server::serve(listener, config, seams, cancelled_by(shutdown)).await?;
    Ok(())
}

/// How the server is guarded.
///
/// # Errors
/// A token file that cannot be read.
pub fn config(args: &GuardArgs) -> Result<ServerConfig> {
    let from_file = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the ingest token's file '{}'", path.display()))?;
        Ok::<_, anyhow::Error>(text.trim().to_owned())
    };
    Ok(ServerConfig {
        ingest_token: match &args.ingest_token_file {
            Some(path) => Some(from_file(path)?),
            None => args.ingest_token.clone(),
        },
        allowed_origins: args.allow_origin.clone(),
        ..ServerConfig::default()
    })
}

/// Finds each record's partition and key; records without a voter that can be read are dealt out in turn.
pub fn partition_of(election: &Election, partitions: u32) -> PartitionOf {
    let router = Mutex::new((Router::new(election, partitions), 0_u64));
    Arc::new(move |value: &[u8]| {
        let mut router = router.lock().unwrap_or_else(PoisonError::into_inner);
        let (router, index) = &mut *router;
        *index = index.wrapping_add(1);
        let (partition, _) = router.route(*index, value, now(), false);
        (partition, router.key().map(<[u8]>::to_vec))
    })
}

/// Opens the log to read it as it is, whatever the URL says of how it is written.
fn open_to_read(url: &LogUrl) -> Result<LogReader, LogError> {
    match url {
        LogUrl::Dir(dir) => LogReader::open(&DirLogUrl::new(&dir.path), None),
        LogUrl::Kafka(_) => LogReader::open_url(url),
    }
}

/// Reads records back from the log, one lookup a record.
pub fn payloads(url: &LogUrl) -> Result<Payloads> {
    let log = open_to_read(url)?;
    Ok(Arc::new(move |places: &[(PartitionId, Offset)]| {
        places
            .iter()
            .map(|(partition, offset)| value_at(&log, *partition, *offset).map_err(|e| e.to_string()))
            .collect()
    }))
}

fn value_at(
    log: &LogReader,
    partition: PartitionId,
    offset: Offset,
) -> Result<Option<bytes::Bytes>, LogError> {
    let mut reader = log.partition(partition, offset)?;
    let asked = Instant::now();
    loop {
        if let Some(batch) = reader.next_batch()? {
            if batch.is_skipped() {
                continue;
            }
            for record in batch.records() {
                let record = record?;
                if record.offset == offset {
                    return Ok(record.value.map(bytes::Bytes::copy_from_slice));
                }
            }
            return Ok(None);
        }
        // A directory's record is there at once or not at all; a topic's is on its way.
        if log.kind() == "dir" || asked.elapsed() > FETCH_TIME_MAX {
            return Ok(None);
        }
        let places: Vec<Offset> =
            (0..log.partitions()).map(|p| if p == partition.0 { offset } else { Offset(u64::MAX) }).collect();
        log.wait_past(&places, FETCH_WAIT)?;
    }
}

/// A file of the page.
pub fn page(path: &str) -> Option<Asset> {
    let asset = votestream_web::asset(path)?;
    Some(Asset {
        bytes: asset.bytes,
        mime: asset.mime,
        gzip: asset.gzip,
        br: asset.br,
        etag: asset.etag.trim_matches('"'),
        immutable: asset.immutable,
    })
}
