//! What was measured: as numbers for JSON, and as tables for people.

use crate::progress::grouped;
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// All of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// Votes asked for.
    pub votes: u64,
    /// From generation to the committed count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathReport>,
    /// A start after a kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeReport>,
    /// Waits at a steady rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyReport>,
    /// Each stage alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<StagesReport>,
}

/// What can be said of the machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Their name, where the system tells.
    pub processor: Option<String>,
    /// Memory in all, in MiB.
    pub memory_mib: Option<u64>,
    /// Where log and store were.
    pub directory: String,
    /// That directory is in memory: syncing costs nothing there.
    pub directory_in_memory: bool,
}

/// The whole path.
#[derive(Debug, Serialize)]
pub struct PathReport {
    /// Votes generated, logged, counted, committed.
    pub votes: u64,
    /// Processors that it could use.
    pub cores: usize,
    /// From the first vote's making to the last one's commit.
    pub seconds: f64,
    /// Votes a second.
    pub votes_per_s: f64,
    /// Processor time of all threads, in nanoseconds a vote.
    pub cpu_ns_a_vote: f64,
    /// Commits.
    pub flushes: u64,
    /// The most memory that the process held meanwhile.
    pub memory_peak_bytes: Option<u64>,
    /// Disk of the log.
    pub log_bytes_a_vote: f64,
    /// Disk of the results store, seen voters included.
    pub store_bytes_a_vote: f64,
    /// How long the recount took.
    pub recount_seconds: f64,
    /// Its speed.
    pub recount_votes_per_s: f64,
    /// Votes that the naive count was given.
    pub naive_votes: u64,
    /// The naive count's speed: one thread, `serde_json`, hash maps, nothing durable.
    pub naive_votes_per_s: f64,
    /// The whole path's speed over the naive count's.
    pub ratio_to_naive: f64,
}

/// A start after a kill.
#[derive(Debug, Serialize)]
pub struct ResumeReport {
    /// Voters loaded.
    pub voters: u64,
    /// From opening to counting on.
    pub seconds: f64,
    /// Voters a second.
    pub voters_per_s: f64,
    /// Processor time of all threads, in nanoseconds a voter.
    pub cpu_ns_a_voter: f64,
    /// The most memory that the process held meanwhile.
    pub memory_peak_bytes: Option<u64>,
}

/// Waits at a steady rate.
#[derive(Debug, Serialize)]
pub struct LatencyReport {
    /// Votes a second.
    pub votes_per_s: u64,
    /// How long they came.
    pub seconds: f64,
    /// Commits meanwhile.
    pub commits: u64,
    /// From its being durable to its being committed in the results.
    pub acknowledged_to_committed: Wait,
    /// Processor time of the whole process, generation included, over time.
    pub cpu_share_of_a_core: f64,
}

/// Percentiles over votes.
#[derive(Debug, Serialize)]
pub struct Wait {
    /// Votes measured.
    pub votes: u64,
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// Each stage alone.
#[derive(Debug, Serialize)]
pub struct StagesReport {
    /// Votes that each stage was given, save where its name says otherwise.
    pub sample: u64,
    /// In the order of a vote's way.
    pub stages: Vec<Stage>,
    /// Processor time a vote of those that a vote passes, in nanoseconds.
    pub cpu_ns_a_vote: f64,
    /// How many times one thread's work all cores do at once, where they only judge: cores that share caches or execution units, or
    /// are shared with others, do less than their number.
    pub all_cores_gain: f64,
}

/// One stage beside its reference.
#[derive(Debug, Serialize)]
pub struct Stage {
    /// What is done.
    pub name: String,
    /// Processor time, in nanoseconds a vote.
    pub cpu_ns: f64,
    /// Time, in nanoseconds a vote.
    pub wall_ns: f64,
    /// What it is compared with.
    pub reference: &'static str,
    /// The same of the reference.
    pub reference_cpu_ns: f64,
    /// The same of the reference.
    pub reference_wall_ns: f64,
    /// Whether time is compared (it waits for a disk) or processor time.
    pub compared_by: Clock,
    /// Stage over reference.
    pub ratio: f64,
    /// Part of the way's sum; else it says the same thing in another way.
    pub summed: bool,
}

/// By which clock a stage is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// Processor time.
    Cpu,
    /// Time.
    Wall,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(machine: Machine, votes: u64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine,
            votes,
            path: None,
            resume: None,
            latency: None,
            stages: None,
        }
    }
}

impl Machine {
    /// Looks at this one. `directory` is where log and store will be.
    pub fn look(directory: &Path) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        Self {
            cores: super::super::threads(None),
            processor: model.map(|name| name.trim().to_owned()),
            memory_mib: super::clock::kib_of("/proc/meminfo", "MemTotal:").map(|kib| kib >> 10),
            directory: directory.display().to_string(),
            directory_in_memory: is_in_memory(directory),
        }
    }
}

#[cfg(target_os = "linux")]
fn is_in_memory(directory: &Path) -> bool {
    /// From Linux's `magic.h`.
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(directory).is_ok_and(|disk| disk.f_type as u64 == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "votestream {} · bench · {}", self.version, self.machine)?;
        if self.machine.directory_in_memory {
            writeln!(
                f,
                "'{}' is in memory, where syncing costs nothing; name a disk with --dir",
                self.machine.directory
            )?;
        }
        if let Some(path) = &self.path {
            write!(f, "\n{path}")?;
        }
        if let Some(resume) = &self.resume {
            write!(f, "\n{resume}")?;
        }
        if let Some(latency) = &self.latency {
            write!(f, "\n{latency}")?;
        }
        if let Some(stages) = &self.stages {
            write!(f, "\n{stages}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores", self.cores)?;
        if let Some(name) = &self.processor {
            write!(f, " ({name})")?;
        }
        if let Some(mib) = self.memory_mib {
            write!(f, " · {} MiB", grouped(mib))?;
        }
        Ok(())
    }
}

/// One line of a list: what, how much, and how that is meant.
fn line(f: &mut fmt::Formatter<'_>, what: &str, value: &str, unit: &str) -> fmt::Result {
    writeln!(f, "  {what:<38} {value:>13} {unit}")
}

fn memory(f: &mut fmt::Formatter<'_>, bytes: Option<u64>) -> fmt::Result {
    match bytes {
        Some(bytes) => line(f, "memory at its peak", &grouped(bytes >> 20), "MiB"),
        None => Ok(()),
    }
}

fn per_second(rate: f64) -> String {
    grouped(rate as u64)
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The whole path: {} votes generated, logged, counted, committed", grouped(self.votes))?;
        line(f, "speed", &per_second(self.votes_per_s), &format!("votes/s, {:.1} s in all", self.seconds))?;
        line(
            f,
            "processor time",
            &format!("{:.3}", self.cpu_ns_a_vote / 1e3),
            "s a million votes, all threads",
        )?;
        let busy = self.cores as f64 * 1e9 / self.cpu_ns_a_vote;
        line(f, "arithmetic: all cores busy with it", &per_second(busy), "votes/s, where nothing else ran")?;
        memory(f, self.memory_peak_bytes)?;
        let disk = self.log_bytes_a_vote + self.store_bytes_a_vote;
        let of_which =
            format!("B a vote: log {:.1}, results {:.1}", self.log_bytes_a_vote, self.store_bytes_a_vote);
        line(f, "disk", &format!("{disk:.1}"), &of_which)?;
        line(f, "commits", &grouped(self.flushes), "")?;
        let seconds = format!("votes/s, {:.1} s in all, identical", self.recount_seconds);
        line(f, "recount from the log", &per_second(self.recount_votes_per_s), &seconds)?;
        let naive = format!("votes/s, one thread, nothing durable, {} votes", grouped(self.naive_votes));
        line(f, "reference: serde_json and hash maps", &per_second(self.naive_votes_per_s), &naive)?;
        line(f, "whole path to reference", &format!("{:.2}", self.ratio_to_naive), "times as fast")
    }
}

impl fmt::Display for ResumeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A start after a kill: {} counted voters back in memory", grouped(self.voters))?;
        line(f, "time", &format!("{:.2}", self.seconds), "s, files in the page cache")?;
        line(f, "speed", &per_second(self.voters_per_s), "voters/s")?;
        line(f, "processor time", &format!("{:.1}", self.cpu_ns_a_voter), "ns a voter, all threads")?;
        memory(f, self.memory_peak_bytes)?;
        if self.voters < 1_000_000 {
            // Too few to say anything about many.
            return Ok(());
        }
        let seconds = 100e6 / self.voters_per_s;
        line(f, "arithmetic, not measured: 100 million", &format!("{seconds:.1}"), "s at this speed")
    }
}

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Waits at {} votes/s for {:.0} s", grouped(self.votes_per_s), self.seconds)?;
        let wait = |wait: &Wait| format!("ms p99; p50 {:.1}, longest {:.1}", wait.p50_ms, wait.max_ms);
        let commit = &self.acknowledged_to_committed;
        line(f, "acknowledged to committed", &format!("{:.1}", commit.p99_ms), &wait(commit))?;
        line(f, "commits", &grouped(self.commits), "")?;
        line(
            f,
            "processor",
            &format!("{:.1}", self.cpu_share_of_a_core * 100.0),
            "% of a core, generation included",
        )
    }
}

impl fmt::Display for StagesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Each stage alone, one thread, best of its rounds: {} votes, ns a vote",
            grouped(self.sample)
        )?;
        let (stage, reference) = ("stage", "reference, same data, same run");
        writeln!(
            f,
            "  {stage:<38} {:>7} {:>7} {:>7}  {reference:<38} {:>7} {:>6}",
            "cpu", "wall", "M/s", "ns", "ratio"
        )?;
        for stage in &self.stages {
            let (ns, reference_ns) = match stage.compared_by {
                Clock::Cpu => (stage.cpu_ns, stage.reference_cpu_ns),
                Clock::Wall => (stage.wall_ns, stage.reference_wall_ns),
            };
            writeln!(
                f,
                "  {:<38} {:>7.1} {:>7.1} {:>7.1}  {:<38} {reference_ns:>7.1} {:>6.2}",
                if stage.summed { stage.name.clone() } else { format!("({})", stage.name) },
                stage.cpu_ns,
                stage.wall_ns,
                1e3 / ns,
                stage.reference,
                stage.ratio
            )?;
        }
        line(
            f,
            "a vote's way, summed",
            &format!("{:.0}", self.cpu_ns_a_vote),
            "ns of processor time, without rows in brackets",
        )?;
        let gain = format!("{:.2}", self.all_cores_gain);
        line(f, "all cores at once, judging", &gain, "times one core's work")
    }
}
