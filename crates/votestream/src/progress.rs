//! Progress on a terminal: bars with rate and time left; nothing where nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar over `total` records (`None`: unknown), drawn on standard error when that is a terminal.
pub fn records(total: Option<u64>, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, target());
    let template = match total {
        Some(_) => "{msg} {wide_bar} {human_pos} of {human_len} records · {per_sec} · {eta} left",
        None => "{msg} {human_pos} records · {per_sec} · {elapsed}",
    };
    bar.set_style(style(template));
    bar.set_message(what);
    bar
}

/// A bar over `total` bytes (`None`: unknown).
pub fn bytes(total: Option<u64>, what: String) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, target());
    let template = match total {
        Some(_) => "{msg} {wide_bar} {bytes} of {total_bytes} · {bytes_per_sec} · {eta} left",
        None => "{msg} {bytes} · {bytes_per_sec} · {elapsed}",
    };
    bar.set_style(style(template));
    bar.set_message(what);
    bar
}

/// One line that is rewritten.
pub fn line() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target());
    bar.set_style(style("{msg}"));
    bar
}

fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A number with its thousands grouped.
pub fn grouped(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}
