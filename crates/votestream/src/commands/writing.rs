//! Opening a log of either kind for writing, and bounding how long a command that is told to stop waits for it.

use crate::args::CreateTopic;
use anyhow::{Result, bail};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use votestream_engine::Shutdown;
use votestream_log::{LogUrl, LogWriter, WriterOptions};

/// How long a command that is told to stop waits for brokers that do not answer.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether the command is told to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Opens the log; makes the topic first where that is asked for.
pub fn open(url: &str, create: Option<CreateTopic>) -> Result<LogWriter> {
    let url: LogUrl = url.parse()?;
    if let Some(create) = create {
        create_topic(&url, create)?;
    }
    Ok(LogWriter::open_url(&url, WriterOptions::default())?)
}

#[cfg(feature = "kafka")]
fn create_topic(url: &LogUrl, create: CreateTopic) -> Result<()> {
    let LogUrl::Kafka(topic) = url else {
        bail!(
            "--create-topic is for a kafka:// log; a directory is made by itself, with dir:PATH?partitions={}",
            create.partitions
        );
    };
    if votestream_log::create_topic(topic, create.partitions, create.replication)? {
        tracing::info!(topic = topic.topic, partitions = create.partitions, "topic created");
    }
    Ok(())
}

#[cfg(not(feature = "kafka"))]
fn create_topic(url: &LogUrl, create: CreateTopic) -> Result<()> {
    // A topic is refused when it is opened, with what to do.
    if matches!(url, LogUrl::Dir(_)) {
        bail!(
            "--create-topic is for a kafka:// log; a directory is made by itself, with dir:PATH?partitions={}",
            create.partitions
        );
    }
    Ok(())
}

/// Runs `run`; once `shutdown` is raised it does not wait for the log for longer than a while.
pub fn bounded<T>(writer: &LogWriter, shutdown: &Shutdown, run: impl FnOnce() -> T) -> T {
    let handle = writer.handle();
    let (running, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                if shutdown.is_raised() {
                    handle.give_up_within(STOP_TIME_MAX);
                    return;
                }
            }
        });
        let answer = run();
        drop(running);
        answer
    })
}
