//! Waiting for a store or a log that is away for a while, where nothing is open that a commit could be waiting for: at the start, and between
//! two stretches.

use crate::{EngineError, Shutdown};
use std::time::{Duration, Instant};

/// How often a store that does not answer is asked again.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// What one try counts for at most: brokers are asked for half a minute before they count as away.
const STEP_MAX: Duration = Duration::from_secs(31);

/// Repeats `step` for as long as its error may pass, up to `patience`; `None` when told to stop meanwhile. `may_pass` answers what to say
/// of such an error; the first is said in the log, the last one returned.
pub fn patiently<T, E>(
    shutdown: &Shutdown,
    patience: Duration,
    may_pass: impl Fn(&E) -> Option<String>,
    mut step: impl FnMut() -> Result<T, E>,
) -> Result<Option<T>, E> {
    let mut waited = Duration::ZERO;
    loop {
        let began = Instant::now();
        let error = match step() {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };
        let Some(why) = may_pass(&error).filter(|_| waited < patience) else { return Err(error) };
        if waited.is_zero() {
            tracing::warn!("waiting, for this may pass: {why}");
        }
        if shutdown.wait(ASK_EVERY) {
            return Ok(None);
        }
        // A process that was stopped meanwhile has not waited for so long.
        waited = waited.saturating_add(began.elapsed().min(STEP_MAX));
    }
}

/// Whether waiting for the store, or for the log's brokers, may cure it.
pub(crate) fn may_pass(error: &EngineError) -> Option<String> {
    let transient = match error {
        EngineError::Store(error) => error.is_transient(),
        EngineError::Log(error) => error.is_transient(),
        #[cfg(feature = "spark")]
        EngineError::Spark(error) => error.may_pass,
        _ => false,
    };
    transient.then(|| chain(error))
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn away(error: &&str) -> Option<String> {
        (*error == "away").then(|| (*error).to_owned())
    }

    const LONG: Duration = Duration::from_mins(10);

    #[test]
    fn what_may_pass_is_tried_again_and_what_may_not_is_returned() {
        let tries = Cell::new(0);
        let step = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("away") } else { Ok(tries.get()) }
        };
        assert_eq!(patiently(&Shutdown::new(), LONG, away, step), Ok(Some(3)));
        let failed: Result<Option<()>, _> = patiently(&Shutdown::new(), LONG, away, || Err("refused"));
        assert_eq!(failed, Err("refused"));
    }

    #[test]
    fn patience_and_the_wish_to_stop_end_it() {
        let fails = || Err::<(), _>("away");
        assert_eq!(patiently(&Shutdown::new(), Duration::ZERO, away, fails), Err("away"));
        let shutdown = Shutdown::new();
        shutdown.raise();
        assert_eq!(patiently(&shutdown, LONG, away, fails), Ok(None));
    }
}
