//! Acts of the election desk as the store names them. Pure; recording them is the backends' business.

use crate::error::{StoreError, list};
use votestream_election::Election;
use votestream_election::delta::DeskAction;

/// The place of a region by its code, which may be given in another case.
pub(crate) fn find(election: &Election, code: &str) -> Result<usize, StoreError> {
    let exact = election.regions.iter().position(|r| r.code == code);
    let place = exact.or_else(|| election.regions.iter().position(|r| r.code.eq_ignore_ascii_case(code)));
    place.ok_or_else(|| StoreError::UnknownRegion {
        election: election.id.clone(),
        region: code.to_owned(),
        known: match election.regions.len() {
            0 => "no regions at all: leave the region out".to_owned(),
            _ => list(election.regions.iter().map(|r| r.code.as_str())),
        },
    })
}

/// The act as kept in the store.
pub(crate) fn name(action: DeskAction) -> &'static str {
    match action {
        DeskAction::Close => "close",
        DeskAction::Reopen => "reopen",
        DeskAction::Hold => "hold",
    }
}

/// Reads what [`name`] wrote.
pub(crate) fn action(text: &str) -> Option<DeskAction> {
    [DeskAction::Close, DeskAction::Reopen, DeskAction::Hold].into_iter().find(|a| name(*a) == text)
}
