//! The SQL that judges: which records of a topic are votes beyond doubt, and whose, for whom, when. All others keep what is needed to judge
//! them here (`undecided`). It never rejects: a reason for a reject is the domain's to give.

use crate::hash;
use crate::moment::moment;
use crate::names;
use crate::pattern::{Pattern, pattern};
use crate::plan::EpochPlan;
use crate::sql::{Layers, text};
use votestream_election::event::VALUE_BYTES_MAX;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Millis};

/// The header of a stub that a routed copy has instead of a longer value.
const STUB_HEADER: &str = "votestream.length";
/// A moment further ahead of the worker's clock than this counts at the clock's minute on the timeline.
const AHEAD_MAX_MS: i64 = 5 * 60_000;
/// Stands between captured fields; no JSON text holds it.
const MARK: &str = "\u{1}";

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
    /// crc32 put the voter here, and a key is the voter's), or `id` NULL and `ts`, `key`, `value`, `large` (then without its value).
    pub(crate) fn sql(&self, topic: &str) -> String {
        let stub = format!("coalesce(exists(headers, h -> h.key = {}), false)", text(STUB_HEADER));
        let records = format!(
            "SELECT partition, offset, unix_millis(timestamp) AS ts, key, value, CAST(value AS STRING) AS s, \
             coalesce(octet_length(value) > {VALUE_BYTES_MAX}, false) OR {stub} AS large FROM {topic}"
        );
        let layers = Layers::on(records);
        let Some(pattern) = pattern(self.election) else {
            return layers.select(
                "partition, offset, CAST(NULL AS BIGINT) AS id, CAST(NULL AS INT) AS cell, CAST(NULL AS BIGINT) AS minute, false AS m, \
                 false AS c, ts, key, CASE WHEN NOT large THEN value END AS value, large",
            );
        };
        let layers = fields(layers, &pattern);
        let layers = self.cells(layers, &pattern);
        let layers = self.places(layers);
        layers.select(
            "partition, offset, id, CASE WHEN ok THEN cell END AS cell, CASE WHEN ok THEN minute END AS minute, m, c, \
             CASE WHEN NOT ok THEN ts END AS ts, CASE WHEN NOT ok THEN key END AS key, \
             CASE WHEN NOT ok AND NOT large THEN value END AS value, large",
        )
    }

    /// Columns `digits`, `cell`, `minute`, `ok` and `id`; `id` NULL where not `ok`.
    fn cells(&self, layers: Layers, pattern: &Pattern) -> Layers {
        let election = self.election;
        let layout = election.layout();
        let column = |group: usize| format!("v{group}");
        let voter = column(pattern.voter);
        let region = match pattern.region {
            Some(group) => format!("element_at({}, {})", names::regions(election), column(group)),
            None => "0".to_owned(),
        };
        let candidate = candidate(election, &pattern.candidate);
        let (unknown_gender, unknown_band) = (layout.genders - 1, layout.bands - 1);
        let gender = match pattern.gender {
            Some(group) => {
                let (field, genders) = (column(group), names::genders(election));
                format!(
                    "CASE WHEN {field} IN ('', 'null') THEN {unknown_gender} ELSE element_at({genders}, {field}) END"
                )
            }
            None => unknown_gender.to_string(),
        };
        let band = match pattern.age {
            Some(group) => {
                let (field, ages, bands) =
                    (column(group), names::band_of_age(election), names::bands(election));
                format!(
                    "CASE WHEN {field} IN ('', 'null') THEN {unknown_band} WHEN startswith({field}, '\"') THEN element_at({bands}, {field}) \
                     WHEN CAST(CAST({field} AS INT) AS STRING) = {field} THEN get({ages}, CAST({field} AS INT)) END"
                )
            }
            None => unknown_band.to_string(),
        };
        let time = pattern.time.map(column);
        let hours = match election.voting_hours {
            Some((start, end)) => format!(" AND moment >= {}L AND moment < {}L", start.0, end.0),
            None => String::new(),
        };
        let not_ahead = self.not_ahead();
        layers
            .with(&[
                ("t", format!("CASE WHEN startswith({voter}, '\"') THEN substring({voter}, 2, length({voter}) - 2) ELSE {voter} END")),
                ("region", region),
                ("candidate", candidate),
                ("gender", gender),
                ("band", band),
                ("moment", moment(election, time.as_deref(), "ts", self.now)),
            ])
            .with(&[
                ("n", "CAST(t AS BIGINT)".to_owned()),
                (
                    "cell",
                    format!(
                        "region * {} + (candidate * {} + gender) * {} + band",
                        layout.cells(),
                        layout.genders,
                        layout.bands
                    ),
                ),
                ("minute", "moment div 60000L".to_owned()),
            ])
            .with(&[("digits", "CAST(n AS STRING)".to_owned())])
            .with(&[(
                "ok",
                format!("coalesce(f IS NOT NULL AND n >= 0 AND digits = t AND cell IS NOT NULL AND moment >= 0 AND moment <= {not_ahead}L{hours}, false)"),
            )])
            .with(&[("id", "CASE WHEN ok THEN n END".to_owned())])
    }

    /// Columns `m` and `c`; false where not `ok`.
    fn places(&self, layers: Layers) -> Layers {
        let keyed = "(key IS NULL OR key = CAST(digits AS BINARY))";
        let (mut layers, mut m, mut c) = (layers, "false".to_owned(), "false".to_owned());
        if self.partitioners.murmur2 {
            layers = hash::murmur2_layers("id", "digits")
                .iter()
                .fold(layers, |layers, columns| layers.with(columns));
            m = hash::murmur2_agrees("partition", self.partitions);
        }
        if self.partitioners.crc32 {
            c = hash::crc32_agrees("digits", "partition", self.partitions);
        }
        layers.with(&[
            ("m", format!("coalesce(ok AND {keyed} AND {m}, false)")),
            ("c", format!("coalesce(ok AND {keyed} AND {c}, false)")),
        ])
    }
}

/// Columns `v1`, `v2`, … with the fields as JSON writes them, the empty text where one is absent; NULL where the record does not match.
fn fields(layers: Layers, pattern: &Pattern) -> Layers {
    let captured: Vec<String> = (1..=pattern.groups).map(|group| format!("{MARK}${group}")).collect();
    let mark = text(MARK);
    // An earlier address's state would be kept where a later address has none.
    let once: Vec<String> = pattern
        .parents
        .iter()
        .map(|parent| format!(" AND locate({0}, s, locate({0}, s) + 1) = 0", text(parent)))
        .collect();
    let once = once.concat();
    let fields: Vec<(String, String)> =
        (1..=pattern.groups).map(|group| (format!("v{group}"), format!("get(f, {group})"))).collect();
    layers
        .with(&[(
            "r",
            format!(
                "CASE WHEN large OR value IS NULL THEN '' ELSE regexp_replace(s, {}, {}) END",
                text(&pattern.regex),
                text(&captured.concat())
            ),
        )])
        .with(&[(
            "f",
            format!(
                "CASE WHEN startswith(r, {mark}) AND NOT startswith(s, {mark}) AND is_valid_utf8(s){once} THEN split(r, {mark}) END"
            ),
        )])
        .with(&fields)
}

/// The candidate, by the first of its fields that is there and known. One that is not known as it is usually written may still be known
/// under another spelling; only where it is ASCII is it sure here that it is not, and that the next field counts.
fn candidate(election: &Election, groups: &[usize]) -> String {
    let (usual, normalised) = (names::candidates(election), names::candidates_normalised(election));
    groups.iter().rev().fold("CAST(NULL AS INT)".to_owned(), |next, group| {
        let field = format!("v{group}");
        let bare = format!("lower(trim(CASE WHEN startswith({field}, '\"') THEN substring({field}, 2, length({field}) - 2) ELSE {field} END))");
        format!(
            "CASE WHEN {field} IN ('', 'null') THEN {next} WHEN element_at({usual}, {field}) IS NOT NULL THEN element_at({usual}, {field}) \
             WHEN octet_length({field}) = length({field}) AND element_at({normalised}, {bare}) IS NULL THEN {next} END"
        )
    })
}
