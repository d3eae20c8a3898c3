//! What `doctor` has to say: each line well or a fault with what to do next. Printing and the exit status are here; judging is not.

use std::io::{self, Write};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// As it should be.
    Well(String),
    /// A fault, and what cures it.
    Fault {
        /// What was found.
        what: String,
        /// What to do.
        next: String,
    },
}

/// All answers, in the order in which they are given.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// As it should be.
    pub(super) fn well(&mut self, what: impl Into<String>) {
        self.0.push(Line::Well(what.into()));
    }

    /// A fault, and what cures it.
    pub(super) fn fault(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.0.push(Line::Fault { what: what.into(), next: next.into() });
    }

    /// A failure that says itself what to do: behind its last semicolon. `otherwise` is for one that does not.
    pub(super) fn failure(&mut self, about: &str, error: &dyn std::error::Error, otherwise: &str) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        match text.rsplit_once("; ") {
            Some((what, next)) if error.source().is_none() => self.fault(format!("{about}: {what}"), next),
            _ => self.fault(format!("{about}: {text}"), otherwise),
        }
    }

    /// Prints them, and says how many are faults.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<usize> {
        let mut faults = 0;
        for line in &self.0 {
            match line {
                Line::Well(what) => writeln!(out, "✓ {what}")?,
                Line::Fault { what, next } => {
                    faults += 1;
                    writeln!(out, "✗ {what}\n  → {next}")?;
                }
            }
        }
        Ok(faults)
    }

    /// As printed, for tests.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let mut out = Vec::new();
        drop(self.print(&mut out));
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A count with its noun: `1 record`, `2 records`.
pub(super) fn many(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", crate::progress::grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach \"db:5432\"; is it running?")]
    struct Away;

    #[test]
    fn faults_are_counted_and_errors_say_what_to_do() {
        let mut lines = Lines::default();
        lines.well("a");
        lines.failure("store", &Away, "unused");
        assert_eq!(lines.text(), "✓ a\n✗ store: cannot reach \"db:5432\"\n  → is it running?\n");
        assert_eq!(lines.print(&mut Vec::new()).unwrap(), 1);
        assert_eq!(
            (many(1, "record"), many(1_000, "vote")),
            ("1 record".to_owned(), "1,000 votes".to_owned())
        );
    }
}
