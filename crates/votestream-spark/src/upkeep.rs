//! Upkeep of files of voters: many into few, in from another engine and out to one, and the sweeping of what no transaction names.
//! Nothing here is committed: files that come of it exist once a transaction names them.

use crate::error::SparkError;
use crate::plan::Attempt;
use crate::rows;
use crate::session::Session;
use crate::sql::text;
use crate::undecided::columns;
use crate::views::CHOSEN;
use crate::voters::{self, FILE_ROWS, below};
use spark_connect::row::{Row, Value};
use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::SeenVoter;
use votestream_election::{Election, Offset, VoterKey};

/// Voters that are sent or fetched in one piece.
const PIECE: usize = 250_000;

impl Session {
    /// Files into few, below another attempt's directory. Under `last` a voter's latest choice alone is kept. The files that went in stay
    /// where they are until they are swept.
    pub fn compact(
        &mut self,
        election: &Election,
        directory: &str,
        attempt: Attempt,
        files: &[VoterFile],
    ) -> Result<Vec<VoterFile>, SparkError> {
        self.line.probe()?;
        let policy = election.duplicate;
        let Some(seen) = self.seen(directory, policy, files)? else { return Ok(Vec::new()) };
        let expect: u64 = files.iter().map(|file| file.voters).sum();
        let pieces = expect.div_ceil(FILE_ROWS).max(1);
        let query = match policy {
            DuplicatePolicy::First => {
                format!("SELECT /*+ COALESCE({pieces}) */ {} FROM ({seen})", voters::columns(policy))
            }
            DuplicatePolicy::Last => format!("SELECT /*+ COALESCE({pieces}) */ * FROM ({})", latest(&seen)),
        };
        self.written_whole(election, directory, attempt, query, expect)
    }

    /// Writes voters that another engine has seen; some millions at most, the rest under further attempts. Under `last` each needs its choice.
    pub fn put_voters(
        &mut self,
        election: &Election,
        directory: &str,
        attempt: Attempt,
        seen: &[SeenVoter],
    ) -> Result<Vec<VoterFile>, SparkError> {
        self.line.probe()?;
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let policy = election.duplicate;
        let rows =
            |piece: &[SeenVoter]| piece.iter().map(|voter| row(policy, voter)).collect::<Option<Vec<Row>>>();
        let mut views = Vec::new();
        for (number, piece) in seen.chunks(PIECE).enumerate() {
            let view = format!("voters_put_{number}");
            let rows = rows(piece).ok_or_else(|| SparkError::Inconsistent {
                says: "under duplicate = \"last\" a voter was handed over without a choice".to_owned(),
            })?;
            let schema = match policy {
                DuplicatePolicy::First => "struct<text:boolean,a:bigint,b:bigint,partition:int>",
                DuplicatePolicy::Last => {
                    "struct<text:boolean,a:bigint,b:bigint,partition:int,cell:int,at:bigint,fresh:boolean>"
                }
            };
            self.line.local(&view, rows, schema)?;
            views.push(view);
        }
        let all: Vec<String> = views.iter().map(|view| format!("SELECT * FROM {view}")).collect();
        let query = format!("SELECT {} FROM ({})", voters::columns(policy), all.join(" UNION ALL "));
        let written = self.written_whole(election, directory, attempt, query, seen.len() as u64);
        for view in views {
            self.line.run_sql("letting go", format!("DROP VIEW IF EXISTS {view}"))?;
        }
        written
    }

    /// Hands the voters of these files over for another engine, everyone once, in no order, a piece at a time. Under `last` each has the latest
    /// choice.
    pub fn voters(
        &mut self,
        election: &Election,
        directory: &str,
        files: &[VoterFile],
        each: &mut dyn FnMut(&[SeenVoter]),
    ) -> Result<(), SparkError> {
        self.line.probe()?;
        let policy = election.duplicate;
        match policy {
            // A file at a time: none is read for another's sake.
            DuplicatePolicy::First => {
                for file in files {
                    let Some(seen) = self.seen(directory, policy, std::slice::from_ref(file))? else {
                        continue;
                    };
                    let fetched = self.fetch(policy, &seen, file.rows, each);
                    fetched.map_err(|error| error.in_directory(directory))?;
                }
            }
            // A voter's choices may lie in several files.
            DuplicatePolicy::Last => {
                let Some(seen) = self.seen(directory, policy, files)? else { return Ok(()) };
                self.keep("finding each voter's latest choice", CHOSEN, latest(&seen))
                    .map_err(|error| error.in_directory(directory))?;
                let voters = files.iter().map(|file| file.voters).sum();
                self.fetch(policy, &format!("SELECT * FROM {CHOSEN}"), voters, each)?;
                self.let_go();
            }
        }
        Ok(())
    }

    /// Fetches the rows of a query, which must be so many, in pieces that are bounded: voters are dealt out to them by a hash.
    fn fetch(
        &self,
        policy: DuplicatePolicy,
        query: &str,
        expect: u64,
        each: &mut dyn FnMut(&[SeenVoter]),
    ) -> Result<(), SparkError> {
        let pieces = expect.div_ceil(PIECE as u64).max(1);
        let mut found = 0;
        for piece in 0..pieces {
            let sql = format!("SELECT * FROM ({query}) WHERE pmod(xxhash64(a, b), {pieces}L) = {piece}L");
            let rows = self.line.run_sql("reading voters", sql)?;
            let voters = rows.iter().map(|row| read(policy, row)).collect::<Result<Vec<_>, _>>()?;
            found += voters.len() as u64;
            each(&voters);
        }
        if found != expect {
            let says = format!("{expect} voters were to be read from files, {found} were");
            return Err(SparkError::Inconsistent { says });
        }
        Ok(())
    }

    /// Removes what these attempts wrote, whatever it is. Where this machine does not see the seen directory, or must not write there, Spark empties
    /// their directories, one after the other: it has no word for removing one.
    pub fn remove(
        &mut self,
        election: &Election,
        directory: &str,
        attempts: &[Attempt],
    ) -> Result<(), SparkError> {
        self.line.probe()?;
        for attempt in attempts {
            let path = below(directory, &format!("{}/{attempt}", election.id));
            if removed_here(&path) {
                continue;
            }
            let sql = format!(
                "INSERT OVERWRITE DIRECTORY {} USING parquet SELECT /*+ COALESCE(1) */ true AS text WHERE false",
                text(&path)
            );
            self.line
                .run_sql("sweeping files of voters", sql)
                .map_err(|error| error.in_directory(directory))?;
        }
        Ok(())
    }

    fn written_whole(
        &mut self,
        election: &Election,
        directory: &str,
        attempt: Attempt,
        query: String,
        expect: u64,
    ) -> Result<Vec<VoterFile>, SparkError> {
        let below_it = format!("{}/{attempt}", election.id);
        let written = self.line.write(directory, &below_it, election.duplicate, query)?;
        let found: u64 = written.iter().map(|file| file.voters).sum();
        if found != expect {
            let says = format!("{expect} voters were to be written, {found} were");
            return Err(SparkError::Inconsistent { says });
        }
        Ok(written)
    }
}

/// Whether an attempt's directory lay on this machine, and is gone. Its name was drawn at random: where there is one of that name, it is Spark's.
fn removed_here(path: &str) -> bool {
    let local = path.strip_prefix("file:").map(|path| format!("/{}", path.trim_start_matches('/')));
    local.is_some_and(|path| std::fs::remove_dir_all(path).is_ok())
}

/// Under `last`, each voter of a query once, with the latest choice; in the order of [`voters::columns`].
fn latest(seen: &str) -> String {
    format!(
        "SELECT text, a, b, partition, last.cell AS cell, last.at AS at, fresh FROM \
         (SELECT text, a, b, min(partition) AS partition, max(struct(at, cell)) AS last, bool_or(fresh) AS fresh FROM ({seen}) GROUP BY text, a, b)"
    )
}

/// `None`: it lacks its choice.
fn row(policy: DuplicatePolicy, seen: &SeenVoter) -> Option<Row> {
    let (text, a, b) = columns(seen.voter);
    let mut fields = vec!["text", "a", "b", "partition"];
    let partition = Value::Integer(seen.partition.0.cast_signed());
    let mut values = vec![Value::Bool(text), Value::Long(a), Value::Long(b), partition];
    if policy == DuplicatePolicy::Last {
        let (cell, at) = seen.choice?;
        fields.extend(["cell", "at", "fresh"]);
        values.extend([
            Value::Integer(cell.cast_signed()),
            Value::Long(at.0.cast_signed()),
            Value::Bool(true),
        ]);
    }
    Some(Row::new(fields.into_iter().map(str::to_owned).collect(), values))
}

fn read(policy: DuplicatePolicy, row: &Row) -> Result<SeenVoter, SparkError> {
    let (a, b) = (rows::long(row, 1)?.cast_unsigned(), rows::long(row, 2)?.cast_unsigned());
    let voter = if rows::flag(row, 0)? {
        VoterKey::Text(u128::from(a) << 64 | u128::from(b))
    } else {
        VoterKey::Integer(a)
    };
    // A column that a file lacks is read as NULL.
    let partition = rows::partition(row, 3).map_err(|_| SparkError::Inconsistent {
        says: "a file of voters does not say on which partition they are: it was written by an earlier version of this program; \
               go on with --engine spark, or count anew with `votestream recount --from-scratch`"
            .to_owned(),
    })?;
    let choice = match policy {
        DuplicatePolicy::First => None,
        DuplicatePolicy::Last => Some((rows::index(row, 4)? as u32, Offset(rows::count(row, 5)?))),
    };
    Ok(SeenVoter { voter, partition, choice })
}
