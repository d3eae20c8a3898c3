//! Results as NIST SP 1500-100 version 2 (Election Results Reporting): what election offices and newsrooms exchange. Pure: the same
//! results make the same report.
//!
//! What the standard has no word for is left out rather than bent. `OtherCounts` are overvotes, undervotes and write-ins: a vote event
//! can be none of these. Duplicates and rejects are records, not ballots, so that they are told in `Notes` and in no count. The
//! definition names no issuer, no kind of election and no language of its names; the report says so by `votestream`, `other` and `und`.

mod shape;

pub use shape::{
    BallotCounts, CandidateContest, CandidateElement, CandidateSelection, CountStatus, ElectionElement,
    ElectionReport, ExternalIdentifier, InternationalizedText, LanguageString, Party, ReportingUnit,
    VoteCounts,
};

use super::types::{CountStatus as Count, RegionResult, RegionStatus, Results};
use crate::definition::{POLL, US_PRESIDENT_2024};
use crate::election::{Candidate, Election, WinRule};
use crate::electorate::figures;
use crate::ids::Millis;
use jiff::tz::TimeZone;
use std::fmt::Write;

/// The unit of all that vote.
const ELECTORATE: &str = "electorate";
/// The one contest.
const CONTEST: &str = "contest-1";

impl ElectionReport {
    /// The report of `results`, or of one of their regions. `created`: when the election was created in its store; it stands for what is
    /// not known otherwise: the day an undated poll began, and the time of a report before the first commit.
    ///
    /// A withheld region is not in `results`, and so not here. The report is complete only with all regions in it.
    pub fn of(election: &Election, results: &Results, only: Option<&RegionResult>, created: Millis) -> Self {
        Writer { election, results, only, created, us: Us::of(election) }.report()
    }
}

/// Which of the definition's regions are what the world knows as a state of the United States.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Us {
    /// Not all.
    No,
    /// All, though not all states are there.
    States,
    /// All, and every state and the District of Columbia is there.
    Country,
}

impl Us {
    fn of(election: &Election) -> Self {
        let states = figures::states();
        let known = |code: &str, name: &str| states.iter().any(|s| s.code == code && s.name == name);
        if election.regions.is_empty() || !election.regions.iter().all(|r| known(&r.code, &r.name)) {
            Self::No
        } else if election.regions.len() == states.len() {
            Self::Country
        } else {
            Self::States
        }
    }
}

struct Writer<'a> {
    election: &'a Election,
    results: &'a Results,
    only: Option<&'a RegionResult>,
    created: Millis,
    us: Us,
}

impl Writer<'_> {
    fn report(&self) -> ElectionReport {
        let mut gp_unit: Vec<ReportingUnit> = self.regions().map(|region| self.region_unit(region)).collect();
        if self.only.is_none() {
            gp_unit.insert(0, self.electorate_unit());
        }
        ElectionReport {
            format: "summary-contest",
            generated_date: second_text(self.generated()),
            issuer: "votestream",
            issuer_abbreviation: "votestream",
            sequence_start: 1,
            sequence_end: 1,
            status: if self.complete() { "unofficial-complete" } else { "unofficial-partial" },
            vendor_application_id: concat!("votestream ", env!("CARGO_PKG_VERSION")),
            is_test: self.election.simulated,
            test_type: self.election.simulated.then_some("simulated votes"),
            notes: self.notes(),
            external_identifier: vec![
                ExternalIdentifier::ours("votestream-sequence", &self.results.sequence),
                ExternalIdentifier::ours("votestream-ledger-digest", &self.results.ledger.digest),
            ],
            election: vec![self.election_element()],
            gp_unit,
            party: self
                .parties()
                .iter()
                .enumerate()
                .map(|(i, code)| Party {
                    id: party_id(i),
                    name: self.text(code),
                    abbreviation: self.text(code),
                })
                .collect(),
        }
    }

    /// The public regions that are told.
    fn regions(&self) -> impl Iterator<Item = &RegionResult> {
        let all = if self.only.is_none() { self.results.regions.as_slice() } else { &[] };
        self.only.into_iter().chain(all)
    }

    /// The unit that the report is on.
    fn scope(&self) -> String {
        self.only.map_or_else(|| ELECTORATE.to_owned(), region_id)
    }

    fn election_element(&self) -> ElectionElement {
        let (start_date, end_date) = self.days();
        let general = self.election.id == US_PRESIDENT_2024;
        ElectionElement {
            name: self.text(&self.election.name),
            kind: if general { "general" } else { "other" },
            other_type: (!general).then_some("not stated"),
            start_date,
            end_date,
            election_scope_id: self.scope(),
            external_identifier: vec![ExternalIdentifier::ours("votestream-election", &self.election.id)],
            count_status: vec![self.count_status()],
            ballot_counts: self.ballot_counts(),
            candidate: self.election.candidates.iter().map(|c| self.candidate(c)).collect(),
            contest: vec![self.contest()],
        }
    }

    fn candidate(&self, candidate: &Candidate) -> CandidateElement {
        let party = self.parties().iter().position(|code| *code == candidate.party);
        let won = self.only.is_none() && self.results.winner.as_ref() == Some(&candidate.id);
        CandidateElement {
            id: format!("candidate-{}", candidate.id),
            ballot_name: self.text(&candidate.name),
            party_id: party.map(party_id),
            post_election_status: won.then_some("projected-winner"),
            external_identifier: vec![ExternalIdentifier::ours("votestream-candidate", &candidate.id)],
        }
    }

    fn contest(&self) -> CandidateContest {
        let variation = match self.election.rule {
            WinRule::Plurality => None,
            WinRule::Seats { threshold } => {
                Some(format!("the first of each region takes its seats; {threshold} seats win the contest"))
            }
        };
        let (sub_units_reported, total_sub_units) = self.sub_units();
        CandidateContest {
            id: CONTEST,
            name: self.election.name.clone(),
            election_district_id: self.scope(),
            votes_allowed: 1,
            number_elected: 1,
            vote_variation: if variation.is_some() { "other" } else { "plurality" },
            other_vote_variation: variation,
            count_status: vec![self.count_status()],
            sub_units_reported,
            total_sub_units,
            contest_selection: (1..)
                .zip(&self.election.candidates)
                .map(|(order, candidate)| CandidateSelection {
                    id: format!("selection-{}", candidate.id),
                    candidate_ids: vec![format!("candidate-{}", candidate.id)],
                    sequence_order: order,
                    vote_counts: self.vote_counts(candidate),
                })
                .collect(),
        }
    }

    /// Votes of the electorate and of each region; then seats, as far as they are decided.
    fn vote_counts(&self, candidate: &Candidate) -> Vec<VoteCounts> {
        let count = |gp_unit_id, kind, count| VoteCounts { gp_unit_id, kind, count };
        let national = self.results.candidates.iter().find(|c| c.id == candidate.id);
        let national = national.filter(|_| self.only.is_none());
        let votes = |region: &RegionResult| {
            count(region_id(region), "total", region.votes.get(&candidate.id).unwrap_or(0))
        };
        let mut counts: Vec<VoteCounts> =
            national.map(|c| count(ELECTORATE.to_owned(), "total", c.votes)).into_iter().collect();
        counts.extend(self.regions().map(votes));
        if let WinRule::Seats { .. } = self.election.rule {
            counts.extend(national.map(|c| count(ELECTORATE.to_owned(), "seats", c.seats.decided)));
            let won = self.regions().filter(|region| {
                matches!(region.status, RegionStatus::Decided | RegionStatus::Closed)
                    && region.leader.as_ref() == Some(&candidate.id)
            });
            counts.extend(won.map(|region| count(region_id(region), "seats", u64::from(region.seats))));
        }
        counts
    }

    fn ballot_counts(&self) -> Vec<BallotCounts> {
        let count = |gp_unit_id, ballots_cast: u64, expected: Option<u64>| BallotCounts {
            gp_unit_id,
            kind: "total",
            ballots_cast,
            // An estimate of those to come is not their number.
            ballots_outstanding: expected
                .filter(|_| self.election.expected_exact)
                .map(|expected| expected.saturating_sub(ballots_cast)),
        };
        let mut counts: Vec<BallotCounts> =
            self.regions().map(|r| count(region_id(r), r.counted, r.expected)).collect();
        if self.only.is_none() {
            counts.insert(0, count(ELECTORATE.to_owned(), self.results.counted, self.results.expected));
        }
        counts
    }

    fn electorate_unit(&self) -> ReportingUnit {
        let country = self.us == Us::Country;
        let registered = self.results.regions.iter().map(|r| r.registered).sum::<Option<u64>>();
        let (sub_units_reported, total_sub_units) = self.sub_units();
        ReportingUnit {
            id: ELECTORATE.to_owned(),
            name: self.text(if country { "United States" } else { &self.election.name }),
            kind: if country { "country" } else { "other" },
            other_type: (!country).then_some("electorate"),
            composing_gp_unit_ids: self.results.regions.iter().map(region_id).collect(),
            external_identifier: country
                .then(|| ExternalIdentifier::ocd("ocd-division/country:us".to_owned()))
                .into_iter()
                .collect(),
            count_status: vec![self.count_status()],
            sub_units_reported,
            total_sub_units,
            // Of some of the regions it would be taken for that of all.
            voters_registered: registered
                .filter(|_| self.results.withheld == 0 && !self.results.regions.is_empty()),
        }
    }

    fn region_unit(&self, region: &RegionResult) -> ReportingUnit {
        let state = self.us != Us::No;
        let code = region.code.to_ascii_lowercase();
        let division = if code == "dc" { "district" } else { "state" };
        let ocd = ExternalIdentifier::ocd(format!("ocd-division/country:us/{division}:{code}"));
        ReportingUnit {
            id: region_id(region),
            name: self.text(&region.name),
            kind: if state { "state" } else { "other" },
            other_type: (!state).then_some("region"),
            composing_gp_unit_ids: Vec::new(),
            external_identifier: state
                .then_some(ocd)
                .into_iter()
                .chain([ExternalIdentifier::ours("votestream-region", &region.code)])
                .collect(),
            count_status: vec![self.region_count_status(region)],
            sub_units_reported: None,
            total_sub_units: None,
            voters_registered: region.registered,
        }
    }

    /// Whether nothing more is to come from a region.
    fn is_over(&self, region: &RegionResult) -> bool {
        let exact = region.expected.filter(|_| self.election.expected_exact);
        region.closed
            || self.results.status == Count::Complete
            || exact.is_some_and(|expected| region.counted >= expected)
    }

    /// Whether nothing more is to come, and nothing is kept back.
    fn complete(&self) -> bool {
        match self.only {
            Some(region) => self.is_over(region),
            None => self.results.status == Count::Complete && self.results.withheld == 0,
        }
    }

    fn count_status(&self) -> CountStatus {
        match self.only {
            Some(region) => self.region_count_status(region),
            None => status(self.complete(), self.results.records == 0),
        }
    }

    fn region_count_status(&self, region: &RegionResult) -> CountStatus {
        status(self.is_over(region), region.counted == 0)
    }

    /// Regions whose count is over, of how many.
    fn sub_units(&self) -> (Option<u64>, Option<u64>) {
        if self.only.is_some() || self.election.regions.is_empty() {
            return (None, None);
        }
        let over = self.results.regions.iter().filter(|region| self.is_over(region)).count();
        (Some(over as u64), Some(self.election.regions.len() as u64))
    }

    /// Codes of the candidates' parties, each once, in the order of the candidates.
    fn parties(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for candidate in &self.election.candidates {
            if !candidate.party.is_empty() && !codes.contains(&candidate.party.as_str()) {
                codes.push(&candidate.party);
            }
        }
        codes
    }

    fn notes(&self) -> String {
        let r = self.results;
        let mut notes = String::new();
        if self.election.simulated {
            notes.push_str("The votes are simulated: nobody cast them. ");
        }
        if let Some(at) = &r.at {
            let _ = write!(notes, "As it stood at the end of the minute {at}. ");
        }
        if r.withheld > 0 && self.only.is_none() {
            let _ = write!(
                notes,
                "Regions whose results are not public, and so are in no number: {}. ",
                r.withheld
            );
        }
        if self.only.is_none() {
            let _ = write!(
                notes,
                "Of {} records {} were counted, {} came from voters who had been counted, and {} were no votes. ",
                r.records, r.counted, r.duplicate, r.rejected
            );
        }
        if let WinRule::Seats { .. } = self.election.rule {
            notes.push_str("Counts of type seats are those that are decided: what still comes cannot change them, or the region was declared final. ");
        }
        notes.push_str("votestream-ledger-digest commits to every record of the log that was counted.");
        notes
    }

    /// First and last day: the day of the vote; else those of the voting hours; else from the day that the election was created in its
    /// store to the day of this report.
    fn days(&self) -> (String, String) {
        if let Some(date) = &self.election.date {
            return (date.clone(), date.clone());
        }
        let zone = TimeZone::get(&self.election.time_zone).unwrap_or(TimeZone::UTC);
        let day = |moment: Millis| {
            let time = jiff::Timestamp::from_millisecond(moment.0).unwrap_or_default();
            time.to_zoned(zone.clone()).date()
        };
        let (from, to) = self.election.voting_hours.unwrap_or((self.created, self.generated()));
        let (from, to) = (day(from), day(to));
        (from.to_string(), to.max(from).to_string())
    }

    /// The newest commit that the report holds.
    fn generated(&self) -> Millis {
        let as_of = self.results.as_of.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        as_of.map_or(self.created, |time| Millis(time.as_millisecond()))
    }

    fn text(&self, text: &str) -> InternationalizedText {
        let english = [US_PRESIDENT_2024, POLL].contains(&self.election.id.as_str());
        let language = if english { "en" } else { "und" };
        InternationalizedText { text: [LanguageString { content: text.to_owned(), language }] }
    }
}

fn status(over: bool, nothing: bool) -> CountStatus {
    let status = match (over, nothing) {
        (true, _) => "completed",
        (false, true) => "not-processed",
        (false, false) => "in-process",
    };
    CountStatus { kind: "total", status }
}

fn region_id(region: &RegionResult) -> String {
    format!("region-{}", region.code)
}

fn party_id(place: usize) -> String {
    format!("party-{}", place + 1)
}

/// RFC 3339, UTC, in whole seconds: the standard's pattern takes no fraction.
fn second_text(moment: Millis) -> String {
    jiff::Timestamp::from_second(moment.0.div_euclid(1000)).map(|t| t.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
