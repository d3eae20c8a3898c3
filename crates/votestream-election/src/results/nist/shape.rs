//! The classes of NIST SP 1500-100 version 2 that a report is made of, as its JSON schema names them. Only what is written is here;
//! what is written when is `nist`'s business.

use serde::Serialize;

/// A report: the file as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.ElectionReport", rename_all = "PascalCase")]
pub struct ElectionReport {
    /// `summary-contest`: aggregated counts only.
    pub format: &'static str,
    /// RFC 3339, UTC, whole seconds.
    pub generated_date: String,
    /// Who issues it.
    pub issuer: &'static str,
    /// The same, short.
    pub issuer_abbreviation: &'static str,
    /// This file is number `sequence_start` of `sequence_end`.
    pub sequence_start: u32,
    /// Files that make up the report.
    pub sequence_end: u32,
    /// `unofficial-partial` or `unofficial-complete`.
    pub status: &'static str,
    /// The program that wrote it, with its version.
    pub vendor_application_id: &'static str,
    /// The votes are generated.
    pub is_test: bool,
    /// What kind of test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_type: Option<&'static str>,
    /// What no other place of the format can say.
    pub notes: String,
    /// The store's sequence and the ledger's digest.
    pub external_identifier: Vec<ExternalIdentifier>,
    /// The one election.
    pub election: Vec<ElectionElement>,
    /// The electorate and its public regions.
    pub gp_unit: Vec<ReportingUnit>,
    /// One for each party code that a candidate bears.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub party: Vec<Party>,
}

/// The election, with its one contest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.Election", rename_all = "PascalCase")]
pub struct ElectionElement {
    /// What people call it.
    pub name: InternationalizedText,
    /// The kind of election.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// What kind, where it is `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_type: Option<&'static str>,
    /// First day, `YYYY-MM-DD`.
    pub start_date: String,
    /// Last day.
    pub end_date: String,
    /// The unit that votes.
    pub election_scope_id: String,
    /// Its identifier here.
    pub external_identifier: Vec<ExternalIdentifier>,
    /// How far the count is.
    pub count_status: Vec<CountStatus>,
    /// Ballots by unit.
    pub ballot_counts: Vec<BallotCounts>,
    /// In the definition's order.
    pub candidate: Vec<CandidateElement>,
    /// Just one.
    pub contest: Vec<CandidateContest>,
}

/// Someone or something to vote for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.Candidate", rename_all = "PascalCase")]
pub struct CandidateElement {
    /// `candidate-` and its identifier.
    #[serde(rename = "@id")]
    pub id: String,
    /// Full name.
    pub ballot_name: InternationalizedText,
    /// Its party, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_id: Option<String>,
    /// `projected-winner`, once nothing that may come could change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_election_status: Option<&'static str>,
    /// Its identifier here.
    pub external_identifier: Vec<ExternalIdentifier>,
}

/// The contest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.CandidateContest", rename_all = "PascalCase")]
pub struct CandidateContest {
    /// Its name in this file.
    #[serde(rename = "@id")]
    pub id: &'static str,
    /// The election's name.
    pub name: String,
    /// The unit that votes on it.
    pub election_district_id: String,
    /// One vote a voter.
    pub votes_allowed: u32,
    /// One winner.
    pub number_elected: u32,
    /// By what rule.
    pub vote_variation: &'static str,
    /// The rule in words, where it is `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_vote_variation: Option<String>,
    /// How far the count is.
    pub count_status: Vec<CountStatus>,
    /// Public regions whose count is over; absent where there are no regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_units_reported: Option<u64>,
    /// Regions, public or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_sub_units: Option<u64>,
    /// One a candidate, in the definition's order.
    pub contest_selection: Vec<CandidateSelection>,
}

/// What may be chosen in the contest, with its votes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.CandidateSelection", rename_all = "PascalCase")]
pub struct CandidateSelection {
    /// `selection-` and the candidate's identifier.
    #[serde(rename = "@id")]
    pub id: String,
    /// The candidate.
    pub candidate_ids: Vec<String>,
    /// Its place in the definition, from 1.
    pub sequence_order: u32,
    /// Votes, and seats decided, by unit.
    pub vote_counts: Vec<VoteCounts>,
}

/// A number of votes or seats in a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.VoteCounts", rename_all = "PascalCase")]
pub struct VoteCounts {
    /// Where.
    pub gp_unit_id: String,
    /// `total` or `seats`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}

/// Ballots of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.BallotCounts", rename_all = "PascalCase")]
pub struct BallotCounts {
    /// Where.
    pub gp_unit_id: String,
    /// `total`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// Votes counted: a voter has one.
    pub ballots_cast: u64,
    /// Those to come, where their exact number is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ballots_outstanding: Option<u64>,
}

/// The electorate, or a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.ReportingUnit", rename_all = "PascalCase")]
pub struct ReportingUnit {
    /// `electorate`, or `region-` and its code.
    #[serde(rename = "@id")]
    pub id: String,
    /// Full name.
    pub name: InternationalizedText,
    /// `country`, `state` or `other`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// What kind, where it is `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_type: Option<&'static str>,
    /// Its public regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub composing_gp_unit_ids: Vec<String>,
    /// Its code here, and its Open Civic Data identifier where it has one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_identifier: Vec<ExternalIdentifier>,
    /// How far its count is.
    pub count_status: Vec<CountStatus>,
    /// Public regions whose count is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_units_reported: Option<u64>,
    /// Regions, public or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_sub_units: Option<u64>,
    /// Registered voters, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voters_registered: Option<u64>,
}

/// A party, of which only its code is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.Party", rename_all = "PascalCase")]
pub struct Party {
    /// `party-` and its number.
    #[serde(rename = "@id")]
    pub id: String,
    /// The code: the definition holds no other name.
    pub name: InternationalizedText,
    /// The code.
    pub abbreviation: InternationalizedText,
}

/// How far a count is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.CountStatus", rename_all = "PascalCase")]
pub struct CountStatus {
    /// `total`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// `not-processed`, `in-process` or `completed`.
    pub status: &'static str,
}

/// A code by which others know something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.ExternalIdentifier", rename_all = "PascalCase")]
pub struct ExternalIdentifier {
    /// `ocd-id` or `other`.
    #[serde(rename = "Type")]
    pub kind: &'static str,
    /// What kind, where it is `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_type: Option<&'static str>,
    /// The code.
    pub value: String,
}

impl ExternalIdentifier {
    /// A code of votestream's own.
    pub(super) fn ours(what: &'static str, value: &impl ToString) -> Self {
        Self { kind: "other", other_type: Some(what), value: value.to_string() }
    }

    /// An Open Civic Data identifier.
    pub(super) fn ocd(value: String) -> Self {
        Self { kind: "ocd-id", other_type: None, value }
    }
}

/// A text in the languages it is known in: here, one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.InternationalizedText", rename_all = "PascalCase")]
pub struct InternationalizedText {
    /// The one.
    pub text: [LanguageString; 1],
}

/// A text and its language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "@type", rename = "ElectionResults.LanguageString", rename_all = "PascalCase")]
pub struct LanguageString {
    /// The text.
    pub content: String,
    /// BCP 47; `und` where the definition does not say.
    pub language: &'static str,
}
