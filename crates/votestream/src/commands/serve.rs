//! `serve`: the results API and the page over a store, with a log for POST and for rejected records where one is given.

mod door;

use crate::args::{GuardArgs, Serve, WebhookArgs};
use crate::commands::now;
use crate::commands::source::{cancelled_by, runtime};
use crate::{Outcome, contest, listen, signals};
use anyhow::{Context, Result, bail};
use door::Door;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Election, Offset, PartitionId};
use votestream_engine::Shutdown;
use votestream_engine::produce::Router;
use votestream_log::{DirLogUrl, LogError, LogReader, LogUrl};
use votestream_server::webhooks::{Rules, WebhookConfig};
use votestream_server::{Asset, LogEnds, PartitionOf, Payloads, Seams, ServerConfig};
use votestream_store::{ReaderStore, StoreUrl};

/// How long a record may take to come from a topic.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);
/// How long to wait at once.
const FETCH_WAIT: Duration = Duration::from_millis(100);

/// The environment variable that may hold the webhooks' secret.
const WEBHOOK_SECRET: &str = "VOTESTREAM_WEBHOOK_SECRET";

/// Runs the command.
pub fn run(args: &Serve) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let log = args.log.as_deref().map(str::parse::<LogUrl>).transpose()?;
    let (shutdown, starting) = signals::listen_while_starting()?;
    let election = shown(args, &ReaderStore::open(&url)?, log.as_ref())?;
    let door = log.clone().map(Door::new);
    let listener = listen::bind(args.listen, 8501, "--listen")?;
    let config = config(&args.guard, &args.webhooks)?;
    config.validate(listener.local_addr()?)?;
    tracing::info!("results at http://{}", listener.local_addr()?);
    let seams = Seams {
        store: url,
        election_id: election.as_ref().filter(|_| args.election.election.is_some()).map(|e| e.id.clone()),
        log_election: election.as_ref().map(|election| election.id.clone()),
        ingest: match (&door, &election) {
            (Some(door), Some(election)) => Some(Door::intake(door, election)?),
            _ => None,
        },
        health: None,
        changed: None,
        page: &page,
        payloads: log.as_ref().map(payloads).transpose()?,
        log_ends: log.as_ref().map(log_ends).transpose()?,
        parquet: parquet(),
        clock: Arc::new(now),
    };
    starting.over();
    runtime()?.block_on(serve(listener, config, seams, &shutdown))?;
    if let Some(door) = door {
        door.close()?;
    }
    Ok(Outcome::Done)
}

/// The election that is meant: the one named, the only one, or of several the one whose log is given. `None`: each request names its own.
fn shown(args: &Serve, store: &ReaderStore, log: Option<&LogUrl>) -> Result<Option<Election>> {
    let heads = store.elections()?;
    if args.election.election.is_some() || heads.len() <= 1 {
        return contest::stored(&args.election, store).map(Some);
    }
    let Some(url) = log else { return Ok(None) };
    let id = open_to_read(url)?.log_id();
    for head in heads {
        if store.pin(&head.id)?.log_id == id {
            return Ok(Some(store.election(Some(&head.id))?));
        }
    }
    bail!(
        "the store holds several elections, and none of them counts the log '{url}'; name the election with --election, or leave --log out"
    )
}

/// Serves until `shutdown` is raised.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    seams: Seams,
    shutdown: &Shutdown,
) -> Result<()> {
    listen::allow_many_connections();
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    votestream_server::serve(listener, config, seams, cancelled_by(shutdown)).await?;
    Ok(())
}

/// How the server is guarded, and whom it tells what happens.
///
/// # Errors
/// A file that cannot be read; webhooks that cannot be.
pub fn config(args: &GuardArgs, webhooks: &WebhookArgs) -> Result<ServerConfig> {
    Ok(ServerConfig {
        ingest_token: match &args.ingest_token_file {
            Some(path) => Some(secret_of(path, "the ingest token's file")?),
            None => args.ingest_token.clone(),
        },
        allowed_origins: args.allow_origin.clone(),
        webhooks: hooks(webhooks)?,
        ..ServerConfig::default()
    })
}

fn secret_of(path: &Path, what: &str) -> Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {what} '{}'", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The secret comes from a file or the environment: a flag could be seen in the list of processes.
fn hooks(args: &WebhookArgs) -> Result<Option<WebhookConfig>> {
    if args.webhook.is_empty() {
        return Ok(None);
    }
    let secret = match &args.webhook_secret_file {
        Some(path) => Some(secret_of(path, "the webhooks' secret in")?),
        None => std::env::var(WEBHOOK_SECRET).ok(),
    };
    let rules = Rules {
        reject_rate: args.webhook_reject_rate,
        reject_window: args.webhook_reject_window,
        stale: Duration::from_secs(args.webhook_stale_seconds),
        ..Rules::default()
    };
    Ok(Some(WebhookConfig::new(&args.webhook, secret.as_deref(), rules)?))
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

/// Writes results as Parquet, where this build can.
#[cfg(feature = "archive")]
#[expect(clippy::unnecessary_wraps, reason = "the small build has none")]
pub fn parquet() -> Option<votestream_server::ParquetFile> {
    let write = votestream_archive::results::results_file;
    Some(Arc::new(move |results| write(results).map_err(|error| error.to_string())))
}

/// The small build's twin: it has no Parquet.
#[cfg(not(feature = "archive"))]
pub fn parquet() -> Option<votestream_server::ParquetFile> {
    None
}

/// Asks the log where it ends.
fn log_ends(url: &LogUrl) -> Result<LogEnds> {
    let log = open_to_read(url)?;
    Ok(Arc::new(move || log.refresh_ends().map_err(|error| error.to_string())))
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
