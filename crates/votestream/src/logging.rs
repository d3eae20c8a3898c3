//! Messages to standard error: for people, or one JSON object a line.

use crate::args::{Common, LogFormat};
use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;

/// Starts writing messages as asked for.
pub fn start(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => Level::WARN,
        (false, 0) => Level::INFO,
        (false, 1) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    // Of libraries no more than usual: their frames and headers drown ours, and may hold a token.
    let ours = Targets::new().with_target("votestream", level).with_default(level.min(Level::INFO));
    let subscriber = fmt().with_max_level(level).with_writer(std::io::stderr).with_target(common.verbose > 0);
    // Another subscriber can only have been set by a test in the same process, which then wants its own.
    drop(match common.log_format {
        LogFormat::Json => {
            tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish().with(ours))
        }
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            tracing::subscriber::set_global_default(
                subscriber.with_ansi(ansi).without_time().finish().with(ours),
            )
        }
    });
}
