//! `count --route`: a topic that is not keyed by the voter is copied to one that is, and the copy is counted.

use crate::progress;
use anyhow::{Result, bail};
use std::thread::JoinHandle;
use std::time::Instant;
use votestream_election::Election;
use votestream_election::event::EventParser;
use votestream_engine::Shutdown;
use votestream_engine::count::{CountOptions, first_pin};
use votestream_log::{KafkaUrl, LogError, LogReader, RouteOptions, RouteSummary, create_copy, route};
use votestream_store::{StoreError, WriterStore};

/// Routing beside counting, on a thread of its own.
pub struct Routing {
    thread: JoinHandle<Result<RouteSummary, LogError>>,
    stop: Shutdown,
}

/// Where the copy of `source` is; makes its topic where there is none.
pub fn copy(source: &KafkaUrl, options: &CountOptions) -> Result<KafkaUrl> {
    Ok(create_copy(source, of(options))?)
}

fn of(options: &CountOptions) -> RouteOptions {
    RouteOptions { until_end: options.until_end, from_log_start: options.from_log_start }
}

/// Pins the election to the copy instead of its source, while nothing of the source is counted.
pub fn pin_to_copy(
    election: &Election,
    copy: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
) -> Result<()> {
    let pin = match store.pin(&election.id) {
        Ok(pin) => pin,
        Err(StoreError::UnknownElection { .. } | StoreError::NoElection { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if pin.log_id == copy.log_id() {
        return Ok(());
    }
    let progress = store.snapshot(&election.id)?.progress;
    if progress.iter().any(|partition| partition.next_offset > partition.start_offset) {
        bail!(
            "election '{}' was counted from another topic already, and its routed copy is another log: build the results anew with `votestream recount --from-scratch --log` and the copy's URL",
            election.id
        );
    }
    tracing::info!("nothing is counted yet: the election is pinned to the routed copy");
    store.start_over(election, &first_pin(copy, options)?, (options.clock)())?;
    Ok(())
}

impl Routing {
    /// Begins; with `until_end` all that is stable now is routed before this returns. `shutdown` is raised where routing fails.
    pub fn start(
        source: &KafkaUrl,
        election: &Election,
        options: &CountOptions,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>> {
        if options.until_end {
            let summary = run(source, election, options, std::slice::from_ref(shutdown))?;
            if !summary.complete && !shutdown.is_raised() {
                bail!("not all of topic '{}' was routed", source.topic);
            }
            return Ok(None);
        }
        let (source, election, options) = (source.clone(), election.clone(), options.clone());
        let stop = Shutdown::new();
        let (told, shutdown) = ([stop.clone(), shutdown.clone()], shutdown.clone());
        let work = move || {
            let done = run(&source, &election, &options, &told);
            if done.is_err() {
                shutdown.raise();
            }
            done
        };
        let thread = std::thread::Builder::new().name("route".to_owned()).spawn(work)?;
        Ok(Some(Self { thread, stop }))
    }

    /// Ends routing; what was routed stays.
    pub fn finish(self) -> Result<()> {
        self.stop.raise();
        match self.thread.join() {
            Ok(done) => done.map(drop).map_err(Into::into),
            Err(_) => bail!("the routing thread ended unexpectedly; please report it"),
        }
    }
}

/// Routes until it is done, or one of `stop` is raised.
pub fn run(
    source: &KafkaUrl,
    election: &Election,
    options: &CountOptions,
    stop: &[Shutdown],
) -> Result<RouteSummary, LogError> {
    let mut parser = EventParser::new(election);
    let mut voter_of = |value: &[u8]| parser.voter_text(value).map(|text| text.as_bytes().to_vec());
    let bar = progress::records(None, "routing");
    let began = Instant::now();
    let summary = route(
        source,
        of(options),
        &mut voter_of,
        &|| stop.iter().any(Shutdown::is_raised),
        &mut |progress| {
            bar.set_position(progress.routed);
        },
    )?;
    bar.finish_and_clear();
    tracing::info!(
        "{} records routed in {:.1} s, in {} transactions; {} of them without a voter, {} too large",
        progress::grouped(summary.routed),
        began.elapsed().as_secs_f64(),
        progress::grouped(summary.transactions),
        progress::grouped(summary.voterless),
        progress::grouped(summary.too_large)
    );
    Ok(summary)
}
