//! One vote per voter, as SQL: who of an epoch's valid votes is new (or, under `last`, chose anew), and what that adds to which cell.
//!
//! A voter is `text, a, b` (`undecided::columns`); files of voters hold just that, the `partition` of the voter's records and, under `last`, the
//! `cell`, the offset `at` which it was chosen, and whether the voter was new then. Under `first` no row anywhere in a file joins a voter with a choice.

use crate::error::SparkError;
use crate::rows;
use crate::session::Session;
use crate::views::{KNOWN, VOTES};
use spark_connect::functions::expr;
use spark_connect::row::Row;
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
fn schema(policy: DuplicatePolicy) -> &'static str {
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
        DuplicatePolicy::First => join("s.text, s.a, s.b"),
        DuplicatePolicy::Last => format!(
            "SELECT text, a, b, max(struct(at, cell)).cell AS old FROM ({}) GROUP BY text, a, b",
            join("s.text, s.a, s.b, s.at, s.cell")
        ),
    }
}

/// Who of the view `votes` is new, the view `known` left out: `partition, offset, text, a, b, cell`, one row a voter.
pub(crate) fn newcomers(known: bool) -> String {
    let columns = format!("w.partition, {}, w.text, w.a, w.b, {}", offset("w.w"), cell("w.w"));
    let left_out = format!(" LEFT ANTI JOIN {KNOWN} k ON w.a = k.a AND NOT (w.text <> k.text OR w.b <> k.b)");
    format!("SELECT {columns} FROM {VOTES} w{}", if known { &left_out } else { "" })
}

/// Under `last`, of the view `votes`: each voter's last choice of each step, `prev` (the one before, of an earlier step or epoch), `latest` (no
/// later one in the epoch) and `old` (the choice of earlier epochs, from the view `known`).
pub(crate) fn choices(known: bool) -> String {
    let per = format!("SELECT w.*, {}, {}, OLD AS old FROM {VOTES} w", offset("w.w"), cell("w.w"));
    let with_old = if known {
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

impl Session {
    /// A query of the voters in these files; `None`: there are none. Each file gets a view of its own, which fails where the file is
    /// missing: a pattern or a listing would pass over it, and its voters would count twice.
    pub(crate) fn seen(
        &mut self,
        directory: &str,
        policy: DuplicatePolicy,
        files: &[VoterFile],
    ) -> Result<Option<String>, SparkError> {
        let mut selects = Vec::with_capacity(files.len());
        let mut kept = Vec::with_capacity(files.len());
        for file in files {
            let path = below(directory, &file.path);
            let known = self.views.iter().find(|(known, _)| *known == path).map(|(_, number)| *number);
            let number = if let Some(number) = known {
                number
            } else {
                self.views_made += 1;
                let sql = format!(
                    "CREATE OR REPLACE TEMPORARY VIEW seen_{} ({}) USING parquet OPTIONS (path {})",
                    self.views_made,
                    schema(policy),
                    crate::sql::text(&path)
                );
                self.run_sql("opening a file of voters", sql)
                    .map_err(|error| error.in_directory(directory))?;
                self.views_made
            };
            selects.push(format!("SELECT {} FROM seen_{number}", columns(policy)));
            kept.push((path, number));
        }
        let gone: Vec<u64> =
            self.views.iter().map(|(_, n)| *n).filter(|n| kept.iter().all(|(_, k)| k != n)).collect();
        self.views = kept;
        for number in gone {
            self.run_sql("closing a file of voters", format!("DROP VIEW IF EXISTS seen_{number}"))?;
        }
        Ok((!selects.is_empty()).then(|| selects.join(" UNION ALL ")))
    }

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

    /// Runs a statement, or a query whose rows are wanted.
    pub(crate) fn run_sql(&self, doing: &'static str, sql: String) -> Result<Vec<Row>, SparkError> {
        tracing::trace!(doing, sql, "asking Spark");
        self.call(doing, move |spark| spark.sql(&sql)?.collect())
    }
}

/// A path below the seen directory.
pub(crate) fn below(directory: &str, path: &str) -> String {
    format!("{}/{path}", directory.trim_end_matches('/'))
}
