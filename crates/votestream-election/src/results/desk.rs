//! What the desk's acts, in their order, mean for each region: final, held, under embargo. Recording acts is the store's business.

use crate::definition::folded;
use crate::delta::{DeskAct, DeskAction};
use crate::election::{Election, Publish};
use crate::ids::RegionIx;

/// Where the desk stands. An act on the whole election is an act on each region.
///
/// `reopen` takes back the last thing that keeps a region from being an ordinary one: its hold, else its close. A `reopen` of the whole
/// election takes back only what was done to the whole election, so that a region held on its own does not come back by accident;
/// a `reopen` of a region takes back, for it, what was done to the whole election too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskState {
    rows: Vec<Row>,
    counted_at_close: Option<u64>,
}

/// One region, or the whole of an election without regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    embargo: bool,
    closed: By,
    held: By,
    counted_at_close: Option<u64>,
}

/// What an act was on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct By {
    own: bool,
    all: bool,
}

impl By {
    fn any(self) -> bool {
        self.own || self.all
    }
}

impl DeskState {
    /// After `acts`, oldest first. An act done twice is done once. Acts on regions that the election does not have change nothing.
    pub fn of(election: &Election, acts: &[DeskAct]) -> Self {
        let embargo = |row: usize| election.regions.get(row).is_some_and(|r| r.publish == Publish::AtClose);
        let rows =
            (0..election.region_rows()).map(|row| Row { embargo: embargo(row), ..Row::default() }).collect();
        let mut state = Self { rows, counted_at_close: None };
        for act in acts {
            match act.region.as_deref().map(folded) {
                None => state.on_all(act),
                Some(code) => {
                    if let Some(row) = election.regions.iter().position(|r| folded(&r.code) == code) {
                        on_one(&mut state.rows[row], act);
                    }
                }
            }
        }
        state
    }

    /// Whether `next` would change anything after `acts`. A second hold or close of the same does not, nor a reopen of what is neither
    /// closed nor on hold: telling the public of it would tell of something that never happened.
    pub fn is_changed_by(election: &Election, acts: &[DeskAct], next: &DeskAct) -> bool {
        let after = [acts, std::slice::from_ref(next)].concat();
        Self::of(election, &after) != Self::of(election, acts)
    }

    fn on_all(&mut self, act: &DeskAct) {
        match act.action {
            DeskAction::Close => {
                self.counted_at_close.get_or_insert(act.counted);
                self.rows.iter_mut().for_each(|row| row.closed.all = true);
            }
            DeskAction::Hold => self.rows.iter_mut().for_each(|row| row.held.all = true),
            DeskAction::Reopen if self.rows.iter().any(|row| row.held.all) => {
                self.rows.iter_mut().for_each(|row| row.held.all = false);
            }
            DeskAction::Reopen => {
                self.counted_at_close = None;
                self.rows.iter_mut().for_each(|row| row.closed.all = false);
            }
        }
    }

    /// Whether the region's results may be shown.
    pub fn is_public(&self, region: RegionIx) -> bool {
        self.rows
            .get(usize::from(region.0))
            .is_some_and(|row| !row.held.any() && (!row.embargo || row.closed.any()))
    }

    /// Whether the region is declared final.
    pub fn is_closed(&self, region: RegionIx) -> bool {
        self.rows.get(usize::from(region.0)).is_some_and(|row| row.closed.any())
    }

    /// Whether every region is declared final.
    pub fn all_closed(&self) -> bool {
        self.rows.iter().all(|row| row.closed.any())
    }

    /// How many regions (1 for an election without any) are kept from the public.
    pub fn withheld(&self) -> usize {
        (0..self.rows.len()).filter(|row| !self.is_public(RegionIx(*row as u16))).count()
    }

    /// Votes of a region that were counted when it was closed by an act of its own.
    pub fn counted_at_close(&self, region: RegionIx) -> Option<u64> {
        self.rows.get(usize::from(region.0)).and_then(|row| row.counted_at_close)
    }

    /// Votes counted in all when the whole election was closed.
    pub fn all_counted_at_close(&self) -> Option<u64> {
        self.counted_at_close
    }
}

fn on_one(row: &mut Row, act: &DeskAct) {
    match act.action {
        DeskAction::Close => {
            row.closed.own = true;
            row.counted_at_close.get_or_insert(act.counted);
        }
        DeskAction::Hold => row.held.own = true,
        DeskAction::Reopen if row.held.any() => row.held = By::default(),
        DeskAction::Reopen => (row.closed, row.counted_at_close) = (By::default(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Millis;

    fn act(action: DeskAction, region: Option<&str>) -> DeskAct {
        DeskAct { number: 0, action, region: region.map(str::to_owned), at: Millis(0), counted: 5 }
    }

    #[test]
    fn what_was_done_already_and_what_was_never_done_change_nothing() {
        use DeskAction::{Close, Hold, Reopen};
        let election = Election::preset("us-president-2024").expect("a preset");
        let mut acts = Vec::new();
        // (act, whether it changes anything after all before it)
        for (action, region, changes) in [
            (Reopen, Some("TX"), false),
            (Reopen, None, false),
            (Hold, Some("OH"), true),
            (Hold, Some("oh"), false),
            (Reopen, None, false),
            (Close, Some("OH"), true),
            (Close, Some("OH"), false),
            (Reopen, Some("OH"), true),
            (Reopen, Some("OH"), true),
            (Reopen, Some("OH"), false),
            (Close, None, true),
            (Close, None, false),
            (Reopen, Some("TX"), true),
        ] {
            let next = act(action, region);
            assert_eq!(DeskState::is_changed_by(&election, &acts, &next), changes, "{next:?} after {acts:?}");
            acts.push(next);
        }
    }
}
