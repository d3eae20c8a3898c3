//! Running an epoch: read and judge in Spark, judge here what is left, find the new voters, write them, sum up.

use crate::ahead::{Ahead, Reading, other_view};
use crate::answer::{EpochAnswer, Timing};
use crate::assemble::{Parts, stopped};
use crate::error::SparkError;
use crate::judge::Judging;
use crate::plan::EpochPlan;
use crate::rows;
use crate::session::Session;
use crate::summary::{Class, Step, decide, steps};
use crate::tally::{foreign, with_steps};
use crate::undecided::{self, Judged, JudgedVote};
use crate::views::{CHOICES, KNOWN, NATIVE, VOTES};
use crate::voters::{self, CELL_BITS, FILE_ROWS, Valid};
use spark_connect::row::Row;
use std::sync::mpsc;
use std::time::Instant;
use tracing::debug;
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::{PartitionAnswer, Range};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Offset, PartitionId, RejectReason, VoterKey};

/// Records that are judged here in one epoch, at most: each is brought here with its value.
const UNDECIDED_MAX: u64 = 250_000;
/// Offsets of an epoch up to which its voters are handed to wherever files of voters are read; beyond, both are shuffled. The engine asks for two
/// million at a time, and for one more of each partition that has next to none.
const FEW: u64 = 2_500_000;
/// Offsets of an epoch whose votes are brought together by voter in one piece.
const PIECE: u64 = 500_000;

/// All that is known once every record is judged.
struct Standing {
    /// The view of records that were judged on the server.
    judged: &'static str,
    partitioners: PartitionerSet,
    /// Those whose votes belong where they are.
    classes: Vec<Class>,
    votes: Vec<JudgedVote>,
    rejects: Vec<(PartitionId, Offset, RejectReason)>,
}

impl Session {
    /// Counts an epoch. After a transient error a new session is needed. Whatever comes of it, only the files that the answer names exist as far as anybody is concerned.
    pub fn run(&mut self, plan: &EpochPlan<'_>) -> Result<EpochAnswer, SparkError> {
        self.line.probe()?;
        let answer = self.run_with(plan).map_err(|error| error.of_files(plan.directory));
        // After an error that may pass the session is given up, and all that is kept with it.
        if !answer.as_ref().is_err_and(SparkError::is_transient) {
            self.let_go();
        }
        answer
    }

    fn run_with(&mut self, plan: &EpochPlan<'_>) -> Result<EpochAnswer, SparkError> {
        let ranges: Vec<Range> = plan.ranges.iter().filter(|range| !range.is_empty()).copied().collect();
        check(plan)?;
        let mut timing = Timing::default();
        if ranges.is_empty() {
            let partitions =
                plan.ranges.iter().map(|range| stopped(*range, minute_of(plan, range), None)).collect();
            return Ok(EpochAnswer {
                partitions,
                files: Vec::new(),
                partitioners: plan.partitioners,
                timing,
            });
        }
        self.deal_out(ranges.iter().map(Range::len).sum::<u64>().div_ceil(PIECE).next_power_of_two())?;
        let judging = Judging::of(plan);
        let began = Instant::now();
        let reading = self.reading(plan, &judging, &ranges)?;
        timing.judge = began.elapsed();
        timing.undecided_records = reading.undecided;
        let ahead_of = (self.line.clone(), other_view(reading.judged));
        let (counted, counting) = mpsc::channel();
        std::thread::scope(|threads| {
            let judging = &judging;
            let begin = move |next| Ahead::begin(next, &counting, ahead_of, plan.topic, judging);
            let ahead = plan.next.map(|next| threads.spawn(move || begin(next)));
            let answer = self.count(plan, judging, reading, (&ranges, timing));
            drop(counted);
            self.ahead =
                ahead.and_then(|ahead| ahead.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            answer
        })
    }

    /// From what was read to the answer.
    fn count(
        &mut self,
        plan: &EpochPlan<'_>,
        judging: &Judging<'_>,
        reading: Reading,
        (ranges, mut timing): (&[Range], Timing),
    ) -> Result<EpochAnswer, SparkError> {
        let Reading { judged: view, kept, mut classes, undecided } = reading;
        self.kept.push(kept);
        let began = Instant::now();
        let judged = self.undecided(judging, view, undecided)?;
        classes.extend(judged.votes.iter().map(|vote| vote.class));
        let standing = match self.stand(plan, classes, (view, judged))? {
            Ok(standing) => standing,
            Err(partitions) => {
                let partitioners = plan.partitioners;
                return Ok(EpochAnswer { partitions, files: Vec::new(), partitioners, timing });
            }
        };
        timing.undecided = began.elapsed();
        let parts: Vec<(Range, Vec<Step>)> = ranges
            .iter()
            .map(|range| (*range, steps(range, minute_of(plan, range), &standing.classes)))
            .collect();
        self.sum_up(plan, standing, &parts, timing)
    }

    /// From judged records to the answer.
    fn sum_up(
        &mut self,
        plan: &EpochPlan<'_>,
        standing: Standing,
        parts: &[(Range, Vec<Step>)],
        mut timing: Timing,
    ) -> Result<EpochAnswer, SparkError> {
        let (election, policy) = (plan.election, plan.election.duplicate);
        let began = Instant::now();
        let stepped = parts.iter().any(|(_, steps)| steps.len() > 1);
        let valid = self.valid(&standing)?;
        if stepped {
            self.line.steps(parts)?;
        }
        let valid_steps = with_steps(&valid.sql, stepped);
        let offsets: u64 = parts.iter().map(|(range, _)| range.len()).sum();
        let votes = match policy {
            DuplicatePolicy::First => valid.earliest(),
            DuplicatePolicy::Last => valid.latest(&valid_steps),
        };
        self.keep("finding each voter's vote", VOTES, votes)?;
        let seen = self.seen(plan.directory, policy, plan.seen)?;
        let few = offsets <= FEW;
        if let Some(seen) = &seen {
            self.keep("finding who is known", KNOWN, voters::known(policy, seen, valid.integers, few))?;
        }
        let known = seen.map(|_| few);
        let fresh = match policy {
            DuplicatePolicy::First => voters::newcomers(known),
            DuplicatePolicy::Last => {
                self.keep("finding who chose anew", CHOICES, voters::choices(known))?;
                format!("SELECT * FROM {CHOICES}")
            }
        };
        let (layout, regions) = (election.layout(), election.region_rows());
        let mut found: Vec<(Range, Parts)> =
            parts.iter().map(|(range, steps)| (*range, Parts::new(steps.clone(), layout, regions))).collect();
        let moves = match policy {
            DuplicatePolicy::First => voters::moves(policy, &with_steps(&fresh, stepped)),
            DuplicatePolicy::Last => voters::moves(policy, &fresh),
        };
        let query = voters::written(policy, &fresh, offsets.div_ceil(FILE_ROWS));
        let below = format!("{}/{}", election.id, plan.attempt);
        let cells_of_choice = layout.genders * layout.bands;
        let line = &self.line;
        // Neither needs the other's answer, and both wait for the server's planning more than they compute.
        let (tallied, files) = std::thread::scope(|threads| {
            let writing = threads.spawn(|| {
                if standing.classes.is_empty() {
                    return Ok(Vec::new());
                }
                line.write(plan.directory, &below, policy, query)
            });
            let tallied = if stepped {
                line.tally_by_step(&moves, &valid_steps, cells_of_choice, &mut found)
            } else {
                line.tally(&moves, &standing.classes, cells_of_choice, &mut found)
            };
            timing.tally = began.elapsed();
            (tallied, writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        tallied?;
        let files = files?;
        timing.voters = began.elapsed().saturating_sub(timing.tally);
        let counted: u64 = found.iter().flat_map(|(_, parts)| &parts.counted).sum();
        let new: u64 = files.iter().map(|file| file.voters).sum();
        if new != counted {
            let says = format!("{counted} votes count, but {new} new voters were written");
            return Err(SparkError::Inconsistent { says });
        }
        debug!(?timing, counted, "epoch counted by Spark");
        let partitions = assembled(plan, standing.rejects, found)?;
        Ok(EpochAnswer { partitions, files, partitioners: standing.partitioners, timing })
    }

    fn undecided(&self, judging: &Judging<'_>, view: &str, records: u64) -> Result<Judged, SparkError> {
        if records == 0 {
            return Ok(Judged::default());
        }
        if records > UNDECIDED_MAX {
            return Err(SparkError::Crowded { records, bound: UNDECIDED_MAX });
        }
        let sql = format!(
            "SELECT partition, offset, record.ts, record.key, record.value, record.large FROM {view} WHERE id IS NULL"
        );
        let rows = self.line.run_sql("fetching what is judged here", sql)?;
        if rows.len() as u64 != records {
            let says = format!("{records} records were undecided, {} came", rows.len());
            return Err(SparkError::Inconsistent { says });
        }
        undecided::judge(judging, &rows)
    }

    /// Whether votes belong where they are. The inner error is an answer: counting must stop.
    fn stand(
        &self,
        plan: &EpochPlan<'_>,
        classes: Vec<Class>,
        (view, judged): (&'static str, Judged),
    ) -> Result<Result<Standing, Vec<PartitionAnswer>>, SparkError> {
        let partitioners = decide(plan.partitioners, &classes);
        let (belonging, stray): (Vec<Class>, Vec<Class>) =
            classes.into_iter().partition(|class| class.belongs(partitioners));
        if !stray.is_empty() && !plan.misrouted_rejects {
            let answers = plan.ranges.iter().map(|range| {
                let here = stray.iter().filter(|class| class.partition == range.partition);
                stopped(*range, minute_of(plan, range), here.map(|class| class.first).min())
            });
            return Ok(Err(answers.collect()));
        }
        let mut rejects = judged.rejects;
        let (votes, misplaced): (Vec<JudgedVote>, Vec<JudgedVote>) =
            judged.votes.into_iter().partition(|vote| vote.class.belongs(partitioners));
        rejects.extend(misplaced.iter().map(|v| (v.class.partition, v.class.first, RejectReason::Misrouted)));
        if stray.len() > misplaced.len() {
            let sql = format!(
                "SELECT partition, offset FROM {view} WHERE id IS NOT NULL AND NOT ({})",
                belongs(partitioners)
            );
            for row in self.line.run_sql("finding misrouted votes", sql)? {
                rejects.push((
                    rows::partition(&row, 0)?,
                    Offset(rows::count(&row, 1)?),
                    RejectReason::Misrouted,
                ));
            }
        }
        rejects.sort_unstable();
        Ok(Ok(Standing { judged: view, partitioners, classes: belonging, votes, rejects }))
    }

    /// A query of all valid votes: those judged in SQL, and those judged here.
    fn valid(&self, standing: &Standing) -> Result<Valid, SparkError> {
        let sql = format!(
            "SELECT partition, offset, false AS text, id AS a, 0L AS b, cell FROM {} WHERE id IS NOT NULL AND ({})",
            standing.judged,
            belongs(standing.partitioners)
        );
        if standing.votes.is_empty() {
            return Ok(Valid { sql, integers: true });
        }
        let rows: Vec<Row> = standing.votes.iter().map(undecided::row).collect();
        self.line.local(NATIVE, rows, undecided::SCHEMA)?;
        Ok(Valid {
            sql: format!("{sql} UNION ALL SELECT partition, offset, text, a, b, cell FROM {NATIVE}"),
            integers: standing.votes.iter().all(|vote| matches!(vote.voter, VoterKey::Integer(_))),
        })
    }
}

/// What a plan must not ask.
fn check(plan: &EpochPlan<'_>) -> Result<(), SparkError> {
    let cells = plan.election.region_rows() * plan.election.layout().cells();
    let refuse = |says: String| Err(SparkError::Inconsistent { says });
    if cells >= 1 << CELL_BITS {
        return refuse(format!(
            "the election has {cells} cells, and Spark is asked for fewer than 2^{CELL_BITS}"
        ));
    }
    for (i, range) in plan.ranges.iter().enumerate() {
        if plan.ranges[..i].iter().any(|other| other.partition == range.partition) {
            return refuse(format!("two ranges of partition {} were asked for", range.partition));
        }
        if range.partition.0 >= plan.partitions || range.to.0 >= 1 << (63 - CELL_BITS) {
            return refuse(format!(
                "the range {}..{} of partition {} cannot be",
                range.from, range.to, range.partition
            ));
        }
    }
    Ok(())
}

fn minute_of(plan: &EpochPlan<'_>, range: &Range) -> Option<votestream_election::Minute> {
    plan.minutes.iter().find(|(partition, _)| *partition == range.partition).and_then(|(_, minute)| *minute)
}

/// The condition that a vote judged in SQL belongs where it is.
fn belongs(set: PartitionerSet) -> &'static str {
    match (set.murmur2, set.crc32) {
        (true, true) => "m OR c",
        (true, false) => "m",
        (false, true) => "c",
        (false, false) => "false",
    }
}

/// Each range's answer, in the plan's order.
fn assembled(
    plan: &EpochPlan<'_>,
    rejects: Vec<(PartitionId, Offset, RejectReason)>,
    mut found: Vec<(Range, Parts)>,
) -> Result<Vec<PartitionAnswer>, SparkError> {
    for (partition, offset, reason) in rejects {
        let parts = found.iter_mut().find(|(range, _)| range.partition == partition).ok_or_else(foreign)?;
        parts.1.rejects.push((offset, reason));
    }
    let layout = plan.election.layout();
    let mut answers = Vec::with_capacity(plan.ranges.len());
    for range in plan.ranges {
        let Some(place) = found.iter().position(|(of, _)| of == range) else {
            answers.push(stopped(*range, minute_of(plan, range), None));
            continue;
        };
        let (_, parts) = found.swap_remove(place);
        let wrong = || SparkError::Inconsistent {
            says: format!(
                "partition {}'s {} offsets hold more than as many records",
                range.partition,
                range.len()
            ),
        };
        answers.push(parts.answer(*range, layout).ok_or_else(wrong)?);
    }
    Ok(answers)
}
