//! `close`, `reopen`, `hold`: acts of the election desk, recorded in the store beside whoever counts.

use crate::args::Desk;
use crate::commands::now;
use crate::{Outcome, contest, progress};
use anyhow::{Result, bail};
use votestream_election::delta::DeskAction;
use votestream_store::{DeskStore, ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Desk, action: DeskAction) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let election = contest::stored(&args.election, &ReaderStore::open(&url)?)?;
    if action == DeskAction::Hold && args.region.is_none() {
        bail!("hold takes one region out of every answer: name it with --region CODE");
    }
    let act = DeskStore::open(&url)?.desk(&election.id, action, args.region.as_deref(), now())?;
    let what = match action {
        DeskAction::Close => "closed",
        DeskAction::Reopen => "reopened",
        DeskAction::Hold => "on hold",
    };
    let whom = act.region.as_deref().unwrap_or(&election.id);
    tracing::info!(
        "{whom} is {what}, with {} votes counted (act {})",
        progress::grouped(act.counted),
        act.number
    );
    Ok(Outcome::Done)
}
