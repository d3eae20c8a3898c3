//! The desk's acts as the public sees them: all of them, in their order, with the numbers of what is public now.

use super::desk::DeskState;
use super::{millis_text, minute_text};
use crate::definition::folded;
use crate::delta::{DeskAct, DeskAction};
use crate::election::Election;
use crate::ids::{Minute, RegionIx};
use serde::{Deserialize, Serialize};

/// What `GET /api/desk` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeskLog {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Of a past view: the minute that it shows. Absent from live answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Regions that are held or under embargo now.
    pub withheld: u64,
    /// Oldest first; of a past view, those up to the end of its minute.
    pub acts: Vec<DeskEntry>,
}

/// One act of the election desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeskEntry {
    /// Which act it was, counted from 1.
    pub number: u64,
    /// When, by the wall clock, RFC 3339 with milliseconds.
    pub time: String,
    /// `close`, `reopen` or `hold`.
    #[schema(value_type = String)]
    pub action: DeskAction,
    /// The region's code; null: the whole election.
    pub region: Option<String>,
    /// Votes of that region (or of all) that were counted at that moment; null while the region (or any region) is withheld.
    pub counted: Option<u64>,
}

impl DeskLog {
    /// The public log of `acts`, oldest first, of a state of the store; `at`: as it was at the end of that minute, but with no number
    /// of a region that is withheld now.
    pub fn of(election: &Election, acts: &[DeskAct], sequence: u64, at: Option<Minute>) -> Self {
        let desk = DeskState::of(election, acts);
        let shown = acts.iter().filter(|act| at.is_none_or(|at| act.at.minute() <= at));
        Self {
            election: election.id.clone(),
            sequence,
            at: at.map(minute_text),
            withheld: desk.withheld() as u64,
            acts: shown.map(|act| DeskEntry::of(election, &desk, act)).collect(),
        }
    }
}

impl DeskEntry {
    fn of(election: &Election, desk: &DeskState, act: &DeskAct) -> Self {
        let public = match act.region.as_deref().map(folded) {
            None => desk.withheld() == 0,
            // A region that the definition has not is shown nowhere.
            Some(code) => election
                .regions
                .iter()
                .position(|region| folded(&region.code) == code)
                .is_some_and(|row| desk.is_public(RegionIx(row as u16))),
        };
        Self {
            number: act.number,
            time: millis_text(act.at),
            action: act.action,
            region: act.region.clone(),
            counted: Some(act.counted).filter(|_| public),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::US_PRESIDENT_2024;
    use crate::election::Publish;
    use crate::ids::Millis;

    const EVENING: i64 = 1_730_851_200_000;

    fn act(number: u64, action: DeskAction, region: Option<&str>) -> DeskAct {
        let at = Millis(EVENING + (number as i64 - 1) * 60_000);
        DeskAct { number, action, region: region.map(str::to_owned), at, counted: 100 * number }
    }

    fn counted(log: &DeskLog) -> Vec<Option<u64>> {
        log.acts.iter().map(|act| act.counted).collect()
    }

    #[test]
    fn acts_tell_numbers_only_of_what_is_public_now() {
        let mut us = Election::preset(US_PRESIDENT_2024).unwrap();
        let wyoming = us.regions.iter().position(|region| region.code == "WY").unwrap();
        us.regions[wyoming].publish = Publish::AtClose;
        let mut acts = vec![
            act(1, DeskAction::Hold, Some("OH")),
            act(2, DeskAction::Reopen, Some("OH")),
            act(3, DeskAction::Close, Some("TX")),
        ];
        let log = DeskLog::of(&us, &acts, 7, None);
        assert_eq!(counted(&log), [Some(100), Some(200), Some(300)]);
        assert_eq!(
            (log.sequence, log.withheld, log.acts[0].time.as_str()),
            (7, 1, "2024-11-06T00:00:00.000Z")
        );
        acts.push(act(4, DeskAction::Close, None));
        assert_eq!(counted(&DeskLog::of(&us, &acts, 8, None)), [Some(100), Some(200), Some(300), Some(400)]);
        acts.push(act(5, DeskAction::Hold, Some("oh")));
        // Also of the acts before the hold, also in a past view from before it.
        assert_eq!(counted(&DeskLog::of(&us, &acts, 9, None)), [None, None, Some(300), None, None]);
        let past = DeskLog::of(&us, &acts, 9, Some(Millis(EVENING + 61_000).minute()));
        assert_eq!(counted(&past), [None, None]);
        assert_eq!((past.at.as_deref(), past.withheld), (Some("2024-11-06T00:01:00Z"), 1));
    }

    #[test]
    fn an_act_is_written_as_documented() {
        let us = Election::preset(US_PRESIDENT_2024).unwrap();
        let log = DeskLog::of(&us, &[act(1, DeskAction::Close, None)], 3, None);
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(
            json,
            "{\"election\":\"us-president-2024\",\"sequence\":3,\"withheld\":0,\"acts\":[{\"number\":1,\
             \"time\":\"2024-11-06T00:00:00.000Z\",\"action\":\"close\",\"region\":null,\"counted\":100}]}"
        );
    }
}
