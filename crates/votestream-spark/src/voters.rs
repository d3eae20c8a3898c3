//! One vote per voter, as SQL: who of an epoch's valid votes is new (or, under `last`, chose anew), and what that adds to which cell.
//!
//! A voter is `text, a, b` (`undecided::columns`); files of voters hold just that, the `partition` of the voter's records and, under `last`, the
//! `cell`, the offset `at` which it was chosen, and whether the voter was new then. Under `first` no row anywhere in a file joins a voter with a choice.

use crate::error::SparkError;
use crate::line::Line;
use crate::rows;
use crate::views::{KNOWN, VOTES};
use spark_connect::functions::expr;
use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;

/// Bits of a cell's number, beside which an offset is kept in one integer, so that the smallest or largest of them is found by hashing.
pub(crate) const CELL_BITS: u32 = 24;
/// Rows in a file of voters, at most by much.
pub(crate) const FILE_ROWS: u64 = 1_000_000;

/// The columns of a file of voters.
pub(crate) fn columns(policy: DuplicatePolicy) -> &'static str {
    match policy {
        DuplicatePolicy::First => "text, a, b, partition",
        DuplicatePolicy::Last => "text, a, b, partition, cell, at, fresh",
    }
}

/// Their types.
pub(crate) fn schema(policy: DuplicatePolicy) -> &'static str {
    match policy {
        DuplicatePolicy::First => "text BOOLEAN, a BIGINT, b BIGINT, partition INT",
        DuplicatePolicy::Last => {
            "text BOOLEAN, a BIGINT, b BIGINT, partition INT, cell INT, at BIGINT, fresh BOOLEAN"
        }
    }
}

/// Valid votes that belong where they are.
pub(crate) struct Valid {
    /// A query of `partition, offset, text, a, b, cell`.
    pub(crate) sql: String,
    /// No voter among them is a text: all are told apart by `a`.
    pub(crate) integers: bool,
}

impl Valid {
    /// What they are grouped by, and what is selected beside it so that the three columns are there.
    fn keys(&self) -> (&'static str, &'static str) {
        if self.integers { ("a", "false AS text, a, 0L AS b") } else { ("text, a, b", "text, a, b") }
    }

    /// Each voter's earliest vote: `partition, text, a, b, w`, where `w` holds offset and cell.
    pub(crate) fn earliest(&self) -> String {
        let (keys, columns) = self.keys();
        format!(
            "SELECT min(partition) AS partition, {columns}, min(shiftleft(offset, {CELL_BITS}) | CAST(cell AS BIGINT)) AS w FROM ({}) GROUP BY {keys}",
            self.sql
        )
    }

    /// Each voter's latest vote of each step, which `steps` is the same votes with: `partition, text, a, b, step, w`.
    pub(crate) fn latest(&self, steps: &str) -> String {
        let (keys, columns) = self.keys();
        format!(
            "SELECT min(partition) AS partition, {columns}, step, max(shiftleft(offset, {CELL_BITS}) | CAST(cell AS BIGINT)) AS w FROM ({steps}) \
             GROUP BY {keys}, step"
        )
    }
}

/// Those of the view `votes` who are in the query `seen`, with their choices under `last`. They are found by handing the epoch's voters, where they
/// are `few`, to wherever files are read: the known are many times as many, and are never shuffled. Joined by `a` alone, which Spark has a table for
/// that is small and fast, the smaller where nothing else is handed over since all are `integers`; two texts that share it are told apart afterwards.
pub(crate) fn known(policy: DuplicatePolicy, seen: &str, integers: bool, few: bool) -> String {
    let hint = if few { "/*+ BROADCAST(w) */ " } else { "" };
    let (keys, alike) =
        if integers { ("a", "NOT s.text") } else { ("text, a, b", "NOT (s.text <> w.text OR s.b <> w.b)") };
    // Under `first` a voter is there once; under `last` once a step.
    let distinct = if policy == DuplicatePolicy::Last { "DISTINCT " } else { "" };
    let join = |columns: &str| {
        format!(
            "SELECT {hint}{columns} FROM ({seen}) s JOIN (SELECT {distinct}{keys} FROM {VOTES}) w ON s.a = w.a AND {alike}"
        )
    };
    match policy {
        // What is the same for all of them is not read.
        DuplicatePolicy::First if integers => join("false AS text, s.a, 0L AS b"),
        DuplicatePolicy::First => join("s.text, s.a, s.b"),
        DuplicatePolicy::Last => format!(
            "SELECT text, a, b, max(struct(at, cell)).cell AS old FROM ({}) GROUP BY text, a, b",
            join("s.text, s.a, s.b, s.at, s.cell")
        ),
    }
}

/// Who of the view `votes` is new, the view `known` left out: `partition, offset, text, a, b, cell`, one row a voter. `known`: whether there is that view,
/// and whether they are few.
pub(crate) fn newcomers(known: Option<bool>) -> String {
    let columns = format!("w.partition, {}, w.text, w.a, w.b, {}", offset("w.w"), cell("w.w"));
    let left_out = format!(" LEFT ANTI JOIN {KNOWN} k ON w.a = k.a AND NOT (w.text <> k.text OR w.b <> k.b)");
    let left_out = if known.is_some() { &left_out } else { "" };
    format!("SELECT {}{columns} FROM {VOTES} w{left_out}", handed_over(known))
}

/// The hint that the view `known` is handed to wherever votes are.
fn handed_over(known: Option<bool>) -> &'static str {
    if known == Some(true) { "/*+ BROADCAST(k) */ " } else { "" }
}

/// Under `last`, of the view `votes`: each voter's last choice of each step, `prev` (the one before, of an earlier step or epoch), `latest` (no
/// later one in the epoch) and `old` (the choice of earlier epochs, from the view `known`).
pub(crate) fn choices(known: Option<bool>) -> String {
    let hint = handed_over(known);
    let per = format!("SELECT {hint}w.*, {}, {}, OLD AS old FROM {VOTES} w", offset("w.w"), cell("w.w"));
    let with_old = if known.is_some() {
        format!(
            "{} LEFT JOIN {KNOWN} k ON w.text = k.text AND w.a = k.a AND w.b = k.b",
            per.replace("OLD", "k.old")
        )
    } else {
        per.replace("OLD", "CAST(NULL AS INT)")
    };
    format!(
        "SELECT partition, step, offset, text, a, b, cell, old, coalesce(lag(cell) OVER v, old) AS prev, lead(cell) OVER v IS NULL AS latest \
         FROM ({with_old}) WINDOW v AS (PARTITION BY text, a, b ORDER BY w)"
    )
}

fn offset(w: &str) -> String {
    format!("shiftright({w}, {CELL_BITS}) AS offset")
}

fn cell(w: &str) -> String {
    format!("CAST({w} & {}L AS INT) AS cell", (1_u64 << CELL_BITS) - 1)
}

/// What the choices of the query `fresh` add to cells: `partition, step, cell, n`.
pub(crate) fn moves(policy: DuplicatePolicy, fresh: &str) -> String {
    match policy {
        DuplicatePolicy::First => format!("SELECT partition, step, cell, 1L AS n FROM ({fresh})"),
        DuplicatePolicy::Last => format!(
            "SELECT partition, step, cell, 1L AS n FROM ({fresh}) WHERE prev IS NULL OR prev <> cell \
             UNION ALL SELECT partition, step, prev AS cell, -1L AS n FROM ({fresh}) WHERE prev <> cell"
        ),
    }
}

/// What is written of the query `fresh`.
pub(crate) fn written(policy: DuplicatePolicy, fresh: &str, files: u64) -> String {
    let columns = match policy {
        DuplicatePolicy::First => "text, a, b, partition",
        DuplicatePolicy::Last => "text, a, b, partition, cell, offset AS at, old IS NULL AS fresh",
    };
    let which = match policy {
        DuplicatePolicy::First => "",
        DuplicatePolicy::Last => " WHERE latest AND (old IS NULL OR old <> cell)",
    };
    format!("SELECT /*+ COALESCE({files}) */ {columns} FROM ({fresh}){which}")
}

impl Line {
    /// Writes what a query gives to a directory that must not be there, and says which files came of it; empty ones are left out.
    pub(crate) fn write(
        &self,
        directory: &str,
        below_it: &str,
        policy: DuplicatePolicy,
        query: String,
    ) -> Result<Vec<VoterFile>, SparkError> {
        let path = below(directory, below_it);
        let to = path.clone();
        self.call("writing voters", move |spark| {
            let write =
                spark.sql(&query)?.write().mode("error").format("parquet").option("compression", "zstd");
            write.save(Some(&to))
        })
        .map_err(|error| error.in_directory(directory))?;
        self.files_of(directory, below_it, policy)
    }

    /// The files of voters in a directory, by path.
    fn files_of(
        &self,
        directory: &str,
        below_it: &str,
        policy: DuplicatePolicy,
    ) -> Result<Vec<VoterFile>, SparkError> {
        let doing = "listing the files of voters";
        let fresh = match policy {
            DuplicatePolicy::First => "true AS fresh",
            DuplicatePolicy::Last => "fresh",
        };
        let path = below(directory, below_it);
        let rows = self
            .call(doing, move |spark| {
                let read = spark.read().format("parquet").schema(schema(policy).to_owned()).load(Some(&path));
                let files =
                    read.select_expr(vec!["_metadata.file_name AS file", fresh]).group_by(vec!["file"]);
                files
                    .agg(vec![
                        expr("count(1)").expression().clone(),
                        expr("count_if(fresh)").expression().clone(),
                    ])
                    .collect()
            })
            .map_err(|error| error.in_directory(directory))?;
        let mut files = rows
            .iter()
            .map(|row| {
                let path = format!("{below_it}/{}", rows::text(row, 0)?);
                Ok(VoterFile { path, rows: rows::count(row, 1)?, voters: rows::count(row, 2)? })
            })
            .collect::<Result<Vec<_>, SparkError>>()?;
        files.sort();
        Ok(files)
    }
}

/// A path below the seen directory.
pub(crate) fn below(directory: &str, path: &str) -> String {
    format!("{}/{path}", directory.trim_end_matches('/'))
}
