//! `count --engine spark`: what is asked of it, where its voters lie, and what it shows; and the way back to the native engine. The loop is the
//! engine's.

use super::on_spark::OnSpark;
use super::{Publish, may_pass, options, report};
use crate::args::Count;
use crate::commands::random_wide;
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::Election;
use votestream_election::fold::Misrouted;
use votestream_engine::Shutdown;
use votestream_engine::count::{Committed, CountOptions, OnCommit, chain, patiently};
use votestream_engine::spark::{
    RECORDS, SparkOptions, bring_back as bring_back_voters, lies_outside, run as run_epochs,
};
use votestream_log::{KafkaUrl, LogReader, LogUrl, java_options};
use votestream_spark::{Limits, Remote, Topic};
use votestream_store::{StoreError, StoreUrl, WriterStore};

/// Live, an epoch begins so long after the one before.
const LIVE_EVERY: Duration = Duration::from_secs(2);

/// Runs the command.
pub(super) fn run(args: &Count) -> Result<Outcome> {
    let store_url: StoreUrl = args.store.parse()?;
    let LogUrl::Kafka(log_url) = args.log.parse()? else {
        bail!("--engine spark reads Kafka topics: name one with --log kafka://host:port/topic");
    };
    if args.route {
        bail!(
            "--route does not go with --engine spark: route with another `votestream count --route --until-end`, into a store of its own, and then give the copy, '{}.by-voter', as --log",
            log_url.topic
        );
    }
    let Some(remote) = &args.remote else {
        bail!("--engine spark needs --remote sc://host:15002, the address of a Spark Connect server");
    };
    let remote: Remote = remote.parse()?;
    let directory = directory(args.seen.as_deref(), &store_url)?;
    contest::defined(&args.election)?;
    count(args, (&log_url, &store_url), (&remote, &directory)).with_context(|| {
        format!(
            "cannot count {log_url} into {store_url} on Apache Spark at {remote}, seen voters in {directory}"
        )
    })
}

/// Where files of voters lie, as Spark names it.
pub(in crate::commands) fn directory(seen: Option<&str>, store: &StoreUrl) -> Result<String> {
    let local = |path: &Path| -> Result<String> {
        let path = std::path::absolute(path).context("the seen directory has no absolute path")?;
        Ok(format!("file://{}", path.display()))
    };
    match (seen, store) {
        (Some(url), _) => match url.split_once(':') {
            Some(("file", path)) => local(Path::new(path.strip_prefix("//").unwrap_or(path))),
            Some(("s3", rest)) => Ok(format!("s3a:{rest}")),
            Some(("s3a" | "hdfs", _)) => Ok(url.to_owned()),
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                bail!(
                    "--seen '{url}' is of a kind that is not known: write file:PATH, s3://bucket/prefix or hdfs://namenode:port/path"
                )
            }
            _ => local(Path::new(url)),
        },
        (None, StoreUrl::Sqlite(path)) => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".seen");
            local(Path::new(&beside))
        }
        (None, StoreUrl::Postgres(_)) => bail!(
            "Apache Spark needs --seen with a store in PostgreSQL: a directory that every machine of the cluster can write to, such as hdfs://namenode:port/path or s3://bucket/prefix"
        ),
    }
}

/// Before counting natively, where a Spark Connect server is named: brings an election back that was counted there. False when told to stop
/// meanwhile.
pub(super) fn bring_back(
    args: &Count,
    (log_url, store_url): (&LogUrl, &StoreUrl),
    (election, log, store): (&Election, &LogReader, &mut WriterStore),
    options: &CountOptions,
    shutdown: &Shutdown,
) -> Result<bool> {
    let (Some(remote), LogUrl::Kafka(log_url)) = (&args.remote, log_url) else { return Ok(true) };
    if !lies_outside(election, store)? {
        return Ok(true);
    }
    let remote: Remote = remote.parse()?;
    let directory = directory(args.seen.as_deref(), store_url)?;
    let mut epochs = on_spark(remote.clone(), log_url, directory.clone())?;
    let brought = bring_back_voters(election, log, store, options, &mut epochs, shutdown);
    let brought = brought.with_context(|| {
        format!("cannot bring the election back from Apache Spark at {remote}, seen voters in {directory}")
    })?;
    Ok(brought.is_some())
}

fn on_spark(remote: Remote, log_url: &KafkaUrl, directory: String) -> Result<OnSpark> {
    let topic = Topic { name: log_url.topic.clone(), options: java_options(log_url)? };
    Ok(OnSpark::new(remote, Limits::default(), topic, directory))
}

fn count(
    args: &Count,
    (log_url, store_url): (&KafkaUrl, &StoreUrl),
    (remote, directory): (&Remote, &str),
) -> Result<Outcome> {
    let (shutdown, starting) = signals::listen_while_starting()?;
    let log = LogReader::open_url(&LogUrl::Kafka(log_url.clone()))?;
    let opened = patiently(
        &shutdown,
        super::START_PATIENCE,
        |e: &StoreError| e.is_not_ready().then(|| chain(e)),
        || WriterStore::open(store_url),
    )?;
    let Some(mut store) = opened else { return Ok(Outcome::Done) };
    let patience = if store.exclusive() { Duration::ZERO } else { super::START_PATIENCE };
    let chosen =
        patiently(&shutdown, patience, may_pass, || contest::counted(&args.election, &store.reader()?))?;
    let Some(election) = chosen else { return Ok(Outcome::Done) };
    let publishing = Publish::start(args.publish.as_deref(), &store, &election, &shutdown)?;
    let publish = publishing.notifier();
    let bar = progress::line();
    let line = bar.clone();
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        publish(committed);
        let health = &committed.health;
        line.set_message(match &health.paused {
            Some(why) => format!("waiting · {why}"),
            None => format!(
                "counting on Spark · {} records · {} records/s · backlog {} · {} voters",
                progress::grouped(committed.records),
                progress::grouped(health.records_per_s as u64),
                progress::grouped(health.backlog),
                progress::grouped(health.voters)
            ),
        });
    });
    let mut epochs = on_spark(remote.clone(), log_url, directory.to_owned())?;
    let options = spark_options(args);
    starting.over();
    let counted = run_epochs(&election, &log, &mut store, &options, &mut epochs, (&shutdown, &on_commit));
    bar.finish_and_clear();
    let summary = counted?;
    publishing.finish()?;
    report(&summary);
    Ok(Outcome::Done)
}

fn spark_options(args: &Count) -> SparkOptions {
    let misrouted = if args.misrouted.is_some() { Misrouted::Reject } else { Misrouted::Stop };
    let count = CountOptions {
        until_end: args.until_end,
        from_log_start: args.from_log_start,
        misrouted,
        ..options(1)
    };
    SparkOptions {
        count,
        live_every: LIVE_EVERY,
        records: args.epoch_records.unwrap_or(RECORDS),
        draw: random_wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_lie_beside_a_file_or_where_they_are_told_to() {
        let sqlite = StoreUrl::sqlite("/data/results.db");
        let postgres: StoreUrl = "postgres://a@b/c".parse().unwrap();
        let at = |seen, store| directory(seen, store).unwrap();
        assert_eq!(at(None, &sqlite), "file:///data/results.db.seen");
        assert_eq!(at(Some("file:/mnt/seen"), &postgres), "file:///mnt/seen");
        assert_eq!(at(Some("file:///mnt/seen"), &postgres), "file:///mnt/seen");
        assert_eq!(at(Some("/mnt/seen"), &postgres), "file:///mnt/seen");
        assert_eq!(at(Some("s3://votes/seen"), &postgres), "s3a://votes/seen");
        assert_eq!(at(Some("hdfs://n:8020/seen"), &postgres), "hdfs://n:8020/seen");
        assert!(directory(None, &postgres).unwrap_err().to_string().contains("needs --seen"));
        assert!(directory(Some("ftp://x"), &postgres).unwrap_err().to_string().contains("hdfs://"));
    }
}
