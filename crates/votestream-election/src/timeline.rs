//! How the count went, minute by minute, as the API shows it, and the changes of the lead. Keeping the minutes is the store's business.
//! Withheld regions are in no number, as in `results`.

use crate::delta::Counts;
use crate::election::{Election, WinRule};
use crate::ids::{CandidateIx, Minute, RegionIx};
use crate::results::{DeskState, minute_text};
use crate::standings::Standing;
use serde::{Deserialize, Serialize};

/// Changes of the lead that are told, at most: the newest.
pub const LEAD_CHANGES_MAX: usize = 1_000;

/// What `GET /api/timeline` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timeline {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// The region that the points show; null: all public regions.
    pub region: Option<String>,
    /// Candidates' identifiers, in the order of the points' votes and seats: the definition's.
    pub candidates: Vec<String>,
    /// Minutes that a point spans: it holds the totals at the end of the last of them that had any news.
    pub bucket_minutes: u32,
    /// Oldest first; minutes without news have none.
    pub points: Vec<TimelineEntry>,
    /// Changes of the lead, oldest first: in all and in each public region (or in the one that is shown).
    pub lead_changes: Vec<LeadChange>,
}

/// Cumulative totals at the end of a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelineEntry {
    /// The minute that these totals close, RFC 3339, UTC.
    pub minute: String,
    /// counted + duplicate + rejected; absent from a region's points, as the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Votes.
    pub counted: u64,
    /// Records of voters who were counted already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<u64>,
    /// Records that are no vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
    /// Votes by candidate.
    pub votes: Vec<u64>,
    /// Seats of the regions where each candidate is first; absent where votes alone decide, and from a region's points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<u64>,
}

/// Somebody else leads than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LeadChange {
    /// The minute at whose end it showed, RFC 3339, UTC.
    pub minute: String,
    /// The region's code; null: in all public regions together.
    pub region: Option<String>,
    /// Who led before; a tie in between does not count as a lead.
    pub from: String,
    /// Who leads now.
    pub to: String,
    /// By how many votes.
    pub margin_votes: u64,
}

/// One row of the store's timeline, summed over partitions.
#[derive(Clone, Copy, Debug)]
pub struct TimelineRow<'a> {
    /// The minute that these totals close.
    pub minute: Minute,
    /// Cumulative counts of all partitions.
    pub counts: &'a Counts,
    /// Cumulative votes, region-major.
    pub totals: &'a [u64],
}

/// What of the timeline is asked for.
#[derive(Clone, Copy, Debug)]
pub struct TimelineQuery {
    /// The store's sequence as read with the rows.
    pub sequence: u64,
    /// One public region; `None`: all of them together.
    pub region: Option<RegionIx>,
    /// Minutes a point spans, at least 1.
    pub bucket_minutes: u32,
}

impl Timeline {
    /// The public timeline of `rows`, oldest first. A withheld or unknown region has no points.
    pub fn of<'a>(
        election: &Election,
        desk: &DeskState,
        query: TimelineQuery,
        rows: impl IntoIterator<Item = TimelineRow<'a>>,
    ) -> Self {
        let bucket = i64::from(query.bucket_minutes.max(1));
        let shown: Vec<usize> = (0..election.region_rows())
            .filter(|row| desk.is_public(RegionIx(*row as u16)))
            .filter(|row| query.region.is_none_or(|region| usize::from(region.0) == *row))
            .collect();
        let mut leads = Leads::new(election, query.region.is_none(), &shown);
        let mut points: Vec<(i64, TimelineEntry)> = Vec::new();
        if !shown.is_empty() {
            for row in rows {
                leads.look(election, &row);
                let entry = entry(election, query.region.is_none(), &shown, &row);
                let slot = row.minute.0.div_euclid(bucket);
                match points.last_mut() {
                    Some((last, point)) if *last == slot => *point = entry,
                    _ => points.push((slot, entry)),
                }
            }
        }
        let region = query.region.and_then(|ix| election.regions.get(usize::from(ix.0)));
        Self {
            election: election.id.clone(),
            sequence: query.sequence,
            region: region.filter(|_| !shown.is_empty()).map(|r| r.code.clone()),
            candidates: election.candidates.iter().map(|c| c.id.clone()).collect(),
            bucket_minutes: bucket as u32,
            points: points.into_iter().map(|(_, point)| point).collect(),
            lead_changes: leads.into_changes(),
        }
    }
}

fn votes_of<'a>(election: &Election, row: &TimelineRow<'a>, region: usize) -> &'a [u64] {
    let candidates = election.candidates.len();
    row.totals.get(region * candidates..(region + 1) * candidates).unwrap_or_default()
}

fn sum(election: &Election, shown: &[usize], row: &TimelineRow<'_>) -> Vec<u64> {
    let mut votes = vec![0; election.candidates.len()];
    for region in shown {
        votes.iter_mut().zip(votes_of(election, row, *region)).for_each(|(sum, v)| *sum += v);
    }
    votes
}

fn entry(election: &Election, all: bool, shown: &[usize], row: &TimelineRow<'_>) -> TimelineEntry {
    let votes = sum(election, shown, row);
    let counted: u64 = votes.iter().sum();
    let mut seats = Vec::new();
    if all && matches!(election.rule, WinRule::Seats { .. }) {
        seats.resize(votes.len(), 0);
        for region in shown {
            if let Some(CandidateIx(leader)) = Standing::of(votes_of(election, row, *region)).leader {
                seats[usize::from(leader)] += u64::from(election.regions[*region].seats);
            }
        }
    }
    TimelineEntry {
        minute: minute_text(row.minute),
        records: all.then_some(counted + row.counts.duplicate + row.counts.rejected),
        counted,
        duplicate: all.then_some(row.counts.duplicate),
        rejected: all.then_some(row.counts.rejected),
        votes,
        seats,
    }
}

/// Who led last, in all and in each region.
struct Leads {
    all: bool,
    shown: Vec<usize>,
    last_all: Option<CandidateIx>,
    last: Vec<Option<CandidateIx>>,
    changes: std::collections::VecDeque<LeadChange>,
}

impl Leads {
    fn new(election: &Election, all: bool, shown: &[usize]) -> Self {
        let shown = if election.regions.is_empty() { Vec::new() } else { shown.to_vec() };
        let last = vec![None; shown.len()];
        Self { all, shown, last_all: None, last, changes: std::collections::VecDeque::new() }
    }

    fn look(&mut self, election: &Election, row: &TimelineRow<'_>) {
        if self.all {
            let every: Vec<usize> = if self.shown.is_empty() { vec![0] } else { self.shown.clone() };
            let standing = Standing::of(&sum(election, &every, row));
            let before = self.last_all;
            self.last_all = self.note(election, row, None, before, &standing);
        }
        for i in 0..self.shown.len() {
            let standing = Standing::of(votes_of(election, row, self.shown[i]));
            let code = election.regions[self.shown[i]].code.as_str();
            self.last[i] = self.note(election, row, Some(code), self.last[i], &standing);
        }
    }

    /// Tells a change; gives who led last.
    fn note(
        &mut self,
        election: &Election,
        row: &TimelineRow<'_>,
        region: Option<&str>,
        before: Option<CandidateIx>,
        now: &Standing,
    ) -> Option<CandidateIx> {
        let id = |c: CandidateIx| election.candidates[usize::from(c.0)].id.clone();
        let (Some(from), Some(to)) = (before, now.leader) else { return now.leader.or(before) };
        if from != to {
            if self.changes.len() == LEAD_CHANGES_MAX {
                self.changes.pop_front();
            }
            self.changes.push_back(LeadChange {
                minute: minute_text(row.minute),
                region: region.map(str::to_owned),
                from: id(from),
                to: id(to),
                margin_votes: now.margin,
            });
        }
        Some(to)
    }

    fn into_changes(self) -> Vec<LeadChange> {
        self.changes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{POLL, US_PRESIDENT_2024};
    use crate::delta::{DeskAct, DeskAction};
    use crate::ids::Millis;

    fn election() -> Election {
        let mut election = Election::preset(US_PRESIDENT_2024).unwrap();
        election.candidates.truncate(2);
        election.regions.truncate(2);
        election
    }

    fn timeline(
        election: &Election,
        desk: &[DeskAct],
        region: Option<u16>,
        bucket: u32,
        rows: &[(i64, Vec<u64>)],
    ) -> Timeline {
        let counts: Vec<Counts> = rows
            .iter()
            .map(|(_, totals)| Counts { counted: totals.iter().sum(), duplicate: 2, rejected: 1, skipped: 0 })
            .collect();
        let rows = rows.iter().zip(&counts).map(|((minute, totals), counts)| TimelineRow {
            minute: Minute(*minute),
            counts,
            totals,
        });
        let query = TimelineQuery { sequence: 9, region: region.map(RegionIx), bucket_minutes: bucket };
        Timeline::of(election, &DeskState::of(election, desk), query, rows)
    }

    fn hold(region: &str) -> DeskAct {
        DeskAct {
            number: 1,
            action: DeskAction::Hold,
            region: Some(region.to_owned()),
            at: Millis(0),
            counted: 0,
        }
    }

    fn rows() -> Vec<(i64, Vec<u64>)> {
        vec![(10, vec![5, 3, 0, 1]), (11, vec![5, 5, 1, 1]), (13, vec![5, 6, 9, 1]), (15, vec![7, 6, 9, 30])]
    }

    #[test]
    fn points_and_changes_of_the_lead() {
        let us = election();
        let all = timeline(&us, &[], None, 1, &rows());
        assert_eq!(all.candidates, ["trump", "harris"]);
        let points: Vec<_> = all
            .points
            .iter()
            .map(|p| (p.minute.as_str(), p.counted, p.votes.clone(), p.seats.clone()))
            .collect();
        assert_eq!(points[0], ("1970-01-01T00:10:00Z", 9, vec![5, 4], vec![3, 9]));
        assert_eq!(points[1], ("1970-01-01T00:11:00Z", 12, vec![6, 6], vec![0, 0]), "tied everywhere");
        assert_eq!(all.points[3].records, Some(52 + 3));
        let changes: Vec<_> = all
            .lead_changes
            .iter()
            .map(|c| (&c.minute[14..16], c.region.as_deref(), c.to.as_str()))
            .collect();
        assert_eq!(
            changes,
            [
                ("13", Some("AK"), "harris"),
                ("13", Some("AL"), "trump"),
                ("15", None, "harris"),
                ("15", Some("AK"), "trump"),
                ("15", Some("AL"), "harris"),
            ],
            "a tie in between is no change of its own"
        );
        assert_eq!(all.lead_changes[2].margin_votes, 20);
    }

    #[test]
    fn buckets_hold_the_last_of_their_minutes() {
        let wide = timeline(&election(), &[], None, 4, &rows());
        assert_eq!(wide.points.iter().map(|p| &p.minute[14..16]).collect::<Vec<_>>(), ["11", "15"]);
        assert_eq!(wide.lead_changes.len(), 5, "changes are told to the minute all the same");
    }

    #[test]
    fn one_region_and_withheld_regions() {
        let us = election();
        let one = timeline(&us, &[], Some(1), 1, &rows());
        assert_eq!((one.region.as_deref(), one.points[3].votes.clone()), (Some("AL"), vec![9, 30]));
        assert_eq!((one.points[0].records, one.points[0].seats.len(), one.lead_changes.len()), (None, 0, 2));
        let held = timeline(&us, &[hold("AL")], None, 1, &rows());
        assert_eq!((held.points[3].counted, held.points[3].records), (13, Some(16)));
        assert!(held.lead_changes.iter().all(|c| c.region.as_deref() != Some("AL")));
        let nothing = timeline(&us, &[hold("AL")], Some(1), 1, &rows());
        assert_eq!((nothing.region, nothing.points.len(), nothing.lead_changes.len()), (None, 0, 0));
    }

    #[test]
    fn a_poll_has_one_line() {
        let poll = Election::preset(POLL).unwrap();
        let all = timeline(&poll, &[], None, 1, &[(1, vec![1, 0, 0]), (2, vec![1, 2, 0])]);
        assert_eq!((all.points.len(), all.points[0].seats.len()), (2, 0));
        assert_eq!(
            all.lead_changes.iter().map(|c| (c.from.as_str(), c.to.as_str())).collect::<Vec<_>>(),
            [("yes", "no")]
        );
    }
}
