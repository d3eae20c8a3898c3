//! The SQL that judges: which records of a topic are votes beyond doubt, and whose, for whom, when. All others keep what is needed to judge
//! them here (`undecided`). It never rejects: a reason for a reject is the domain's to give.

use crate::hash;
use crate::moment::moment;
use crate::names;
use crate::pattern::{Pattern, pattern};
use crate::plan::EpochPlan;
use crate::sql::{Layers, MARK, text};
use votestream_election::event::VALUE_BYTES_MAX;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Millis};

/// The header of a stub that a routed copy has instead of a longer value.
const STUB_HEADER: &str = "votestream.length";
/// A moment further ahead of the worker's clock than this counts at the clock's minute on the timeline.
const AHEAD_MAX_MS: i64 = 5 * 60_000;

/// What is judged on.
pub(crate) struct Judging<'a> {
    /// The election.
    pub(crate) election: &'a Election,
    /// How many partitions the topic has.
    pub(crate) partitions: u32,
    /// Those partitioners that are looked at.
    pub(crate) partitioners: PartitionerSet,
    /// The worker's clock.
    pub(crate) now: Millis,
}

impl<'a> Judging<'a> {
    pub(crate) fn of(plan: &EpochPlan<'a>) -> Self {
        Self {
            election: plan.election,
            partitions: plan.partitions,
            partitioners: plan.partitioners,
            now: plan.now,
        }
    }

    /// The minute of the timeline that a moment asks for.
    pub(crate) fn minute(&self, moment: Millis) -> i64 {
        let ahead = moment.0 > self.now.0.saturating_add(AHEAD_MAX_MS);
        (if ahead { self.now } else { moment }).minute().0
    }

    /// No moment up to this one is too far ahead of the worker's clock; later ones are judged here, where that is looked at. It changes
    /// every few minutes only: a query with another number in it is compiled anew by Spark.
    fn not_ahead(&self) -> i64 {
        const STEP_MS: i64 = 4 * 60_000;
        self.now.0.saturating_add(AHEAD_MAX_MS).div_euclid(STEP_MS) * STEP_MS
    }

    /// Records of the view `topic`, each with `partition`, `offset`, and either `id` (a BIGINT), `cell`, `minute`, `m` and `c` (murmur2 and
    /// crc32 put the voter here, and a key is the voter's), or `id` NULL and the `record`: `ts`, `key`, `value`, `large` (then
    /// without its value).
    pub(crate) fn sql(&self, topic: &str) -> String {
        // As texts: Spark copies bytes out of a row wherever it looks at them.
        const RECORD: &str = "named_struct('ts', ts, 'key', CAST(key AS BINARY), 'value', CASE WHEN NOT large THEN CAST(value AS BINARY) END, \
             'large', large)";
        // Without a lambda, for which Spark generates no code.
        let stub = format!("coalesce(array_contains(headers.key, {}), false)", text(STUB_HEADER));
        let large = format!("coalesce(octet_length(value) > {VALUE_BYTES_MAX}, false) OR {stub}");
        let records = format!(
            "SELECT partition, offset, unix_millis(timestamp) AS ts, CAST(key AS STRING) AS key, CAST(value AS STRING) AS value, {large} AS large FROM {topic}"
        );
        let Some(pattern) = pattern(self.election) else {
            return format!(
                "SELECT partition, offset, CAST(NULL AS BIGINT) AS id, CAST(NULL AS INT) AS cell, CAST(NULL AS BIGINT) AS minute, false AS m, \
                 false AS c, {RECORD} AS record FROM ({records})"
            );
        };
        let layers = Layers::on(records).layer(KEPT, &[("f".to_owned(), fields(&pattern))]);
        let layers = self.read(layers, &pattern);
        let layers = layers.layer(KEPT, &self.vote());
        let layers = layers.layer(
            &format!("{KEPT}, ok, digits, id, cell, minute"),
            &[("h".to_owned(), hash::unfinished("digits"))],
        );
        let (m, c) = self.places();
        layers.select(&format!(
            "partition, offset, CASE WHEN ok THEN id END AS id, CASE WHEN ok THEN cell END AS cell, CASE WHEN ok THEN minute END AS minute, \
             {m} AS m, {c} AS c, CASE WHEN NOT ok THEN {RECORD} END AS record"
        ))
    }

    /// A layer of what the fields mean: `sure` (the record matches), `digits`, `region`, `candidate`, `gender`, `band`, `moment`.
    fn read(&self, layers: Layers, pattern: &Pattern) -> Layers {
        let election = self.election;
        let layout = election.layout();
        let voter = column(pattern.voter);
        let region = match pattern.region {
            Some(group) => names::region(election, &column(group)),
            None => "0".to_owned(),
        };
        let candidate = candidate(election, &pattern.candidate);
        let (unknown_gender, unknown_band) = (layout.genders - 1, layout.bands - 1);
        let gender = match pattern.gender {
            Some(group) => {
                let field = column(group);
                let known = names::gender(election, &field);
                format!("CASE WHEN {field} IN ('', 'null') THEN {unknown_gender} ELSE {known} END")
            }
            None => unknown_gender.to_string(),
        };
        let band = match pattern.age {
            Some(group) => {
                let field = column(group);
                let (ages, labelled) = (names::band_of_age(election), names::band(election, &field));
                format!(
                    "CASE WHEN {field} IN ('', 'null') THEN {unknown_band} WHEN startswith({field}, '\"') THEN {labelled} \
                     WHEN CAST(CAST({field} AS INT) AS STRING) = {field} THEN get({ages}, CAST({field} AS INT)) END"
                )
            }
            None => unknown_band.to_string(),
        };
        let time = pattern.time.map(column);
        let columns = [
            ("sure", format!("size(f) = {} AND get(f, 0) = ''", pattern.groups + 1)),
            (
                "digits",
                format!(
                    "CASE WHEN startswith({voter}, '\"') THEN substring({voter}, 2, length({voter}) - 2) ELSE {voter} END"
                ),
            ),
            ("region", region),
            ("candidate", candidate),
            ("gender", gender),
            ("band", band),
            ("moment", moment(election, time.as_deref(), "ts", self.now)),
        ];
        layers.layer(KEPT, &columns.map(|(name, sql)| (name.to_owned(), sql)))
    }

    /// Columns `ok` (a vote beyond doubt), `digits`, `id`, `cell`, `minute`, and what murmur2 takes of the digits.
    fn vote(&self) -> Vec<(String, String)> {
        let (election, layout) = (self.election, self.election.layout());
        let id = "CAST(digits AS BIGINT)";
        let cell = format!(
            "region * {} + (candidate * {} + gender) * {} + band",
            layout.cells(),
            layout.genders,
            layout.bands
        );
        let hours = match election.voting_hours {
            Some((start, end)) => format!(" AND moment >= {}L AND moment < {}L", start.0, end.0),
            None => String::new(),
        };
        let not_ahead = self.not_ahead();
        let ok = format!(
            "coalesce(sure AND {id} >= 0 AND CAST({id} AS STRING) = digits AND ({cell}) IS NOT NULL AND moment >= 0 AND moment <= {not_ahead}L{hours}, false)"
        );
        let columns = [
            ("ok", ok),
            ("digits", "digits".to_owned()),
            ("id", id.to_owned()),
            ("cell", cell),
            ("minute", "moment div 60000L".to_owned()),
        ];
        let mut columns: Vec<(String, String)> =
            columns.into_iter().map(|(name, sql)| (name.to_owned(), sql)).collect();
        columns.extend(hash::quads(id, "digits"));
        columns
    }

    /// Expressions of `m` and `c`; false where not `ok`.
    fn places(&self) -> (String, String) {
        let agrees = |possible: bool, agrees: String| {
            if possible {
                format!("coalesce(ok AND (key IS NULL OR key = digits) AND {agrees}, false)")
            } else {
                "false".to_owned()
            }
        };
        (
            agrees(self.partitioners.murmur2, hash::murmur2_agrees("h", "partition", self.partitions)),
            agrees(self.partitioners.crc32, hash::crc32_agrees("digits", "partition", self.partitions)),
        )
    }
}

/// What of a record is kept up to the end, for those that are judged here.
const KEPT: &str = "partition, offset, ts, key, value, large";

/// A captured field as JSON writes it, the empty text where it is absent; NULL where the record does not match.
fn column(group: usize) -> String {
    format!("get(f, {group})")
}

/// The captured fields, from place 1 on, and the empty text before them: of a record that matches. Of one that does not, its text in one or
/// more pieces, not so many that begin with the empty text; or NULL.
fn fields(pattern: &Pattern) -> String {
    let captured: Vec<String> = (1..=pattern.groups).map(|group| format!("{MARK}${group}")).collect();
    // An earlier address's state would be kept where a later address has none.
    let once: Vec<String> = pattern
        .parents
        .iter()
        .map(|parent| format!(" AND locate({0}, value, locate({0}, value) + 1) = 0", text(parent)))
        .collect();
    let mark = text(MARK);
    format!(
        "CASE WHEN NOT large AND is_valid_utf8(value) AND NOT startswith(value, {mark}){} THEN split(regexp_replace(value, {}, {}), {mark}) END",
        once.concat(),
        text(&pattern.regex),
        text(&captured.concat())
    )
}

/// The candidate, by the first of its fields that is there and known. One that is not known as it is usually written may still be known
/// under another spelling; only where it is ASCII is it sure here that it is not, and that the next field counts.
fn candidate(election: &Election, groups: &[usize]) -> String {
    groups.iter().rev().fold("CAST(NULL AS INT)".to_owned(), |next, group| {
        let field = column(*group);
        let bare = format!("lower(trim(CASE WHEN startswith({field}, '\"') THEN substring({field}, 2, length({field}) - 2) ELSE {field} END))");
        let (usual, normalised) = (names::candidate(election, &field), names::candidate_normalised(election, &bare));
        format!(
            "CASE WHEN {field} IN ('', 'null') THEN {next} ELSE coalesce({usual}, \
             CASE WHEN octet_length({field}) = length({field}) AND {normalised} IS NULL THEN {next} END) END"
        )
    })
}
