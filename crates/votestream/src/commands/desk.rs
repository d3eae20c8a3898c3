//! `close`, `reopen`, `hold`: acts of the election desk, recorded in the store beside whoever counts. What would change nothing is said and
//! not recorded.

use crate::args::Desk;
use crate::commands::now;
use crate::{Outcome, contest, progress};
use anyhow::{Result, bail};
use votestream_election::Election;
use votestream_election::delta::{DeskAct, DeskAction};
use votestream_election::results::DeskState;
use votestream_store::{DeskStore, ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Desk, action: DeskAction) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let reader = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &reader)?;
    if action == DeskAction::Hold && args.region.is_none() {
        bail!("hold takes one region out of every answer: name it with --region CODE");
    }
    let region = args.region.as_deref();
    if is_idle(&election, &reader.desk_acts(&election.id)?, action, region) {
        tracing::info!("{}", idle(action, region.unwrap_or(&election.id), region.is_some()));
        return Ok(Outcome::Done);
    }
    drop(reader);
    let act = DeskStore::open(&url)?.desk(&election.id, action, region, now())?;
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

/// Whether the act would change nothing. A region that there is not is left to the store, which says so.
fn is_idle(election: &Election, acts: &[DeskAct], action: DeskAction, region: Option<&str>) -> bool {
    let known = |code: &str| election.regions.iter().any(|r| r.code.eq_ignore_ascii_case(code));
    let next = DeskAct { number: 0, action, region: region.map(str::to_owned), at: now(), counted: 0 };
    region.is_none_or(known) && !DeskState::is_changed_by(election, acts, &next)
}

fn idle(action: DeskAction, whom: &str, one: bool) -> String {
    match action {
        DeskAction::Close => format!("{whom} is closed already: nothing is recorded"),
        DeskAction::Hold => format!("{whom} is on hold already: nothing is recorded"),
        DeskAction::Reopen if one => format!("{whom} is neither closed nor on hold: nothing is recorded"),
        DeskAction::Reopen => format!(
            "{whom} as a whole is neither closed nor on hold: nothing is recorded; a region that was closed or held on its own is reopened with --region CODE"
        ),
    }
}
