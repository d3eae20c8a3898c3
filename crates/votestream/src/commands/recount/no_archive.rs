//! The small build's twin of `archived.rs`: it has no archives, and says where they are.

use super::{Claim, Outcome, Recount, RecountOptions};
use anyhow::{Result, bail};
use votestream_election::Election;
use votestream_engine::recount::Source;

/// There is none.
pub(super) enum Opened {}

/// Refuses to open an archive.
pub(super) fn open(_: &str) -> Result<Opened> {
    bail!(
        "this small build leaves archives out; build the whole one with `make build` (target/release/votestream)"
    )
}

/// Refuses to recount one.
pub(super) fn run(args: &Recount, _: &RecountOptions) -> Result<Outcome> {
    open(args.archive.as_deref().unwrap_or_default()).map(|opened| match opened {})
}

/// There is none.
pub(super) fn witness<'a>(_: &'a Election, archive: &'a Opened, _: &Claim) -> Option<Box<dyn Source + 'a>> {
    match *archive {}
}
