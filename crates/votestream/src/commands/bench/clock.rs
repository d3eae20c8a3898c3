//! Time, processor time and memory of this process. On a shared machine processor time says more than time.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Processor time of all threads.
    pub cpu: Duration,
    /// Time.
    pub wall: Duration,
}

impl Cost {
    /// Nothing yet.
    pub const ZERO: Self = Self { cpu: Duration::ZERO, wall: Duration::ZERO };
    /// More than anything takes.
    const MAX: Self = Self { cpu: Duration::MAX, wall: Duration::MAX };

    /// Does the work and says what it took.
    pub fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let watch = Watch::start();
        let done = work();
        (done, watch.cost())
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
    }

    /// The lesser time of each kind.
    pub fn least(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }
}

/// A start, to be compared with now.
pub struct Watch {
    cpu: Duration,
    wall: Instant,
}

impl Watch {
    /// Starts.
    pub fn start() -> Self {
        Self { cpu: process_cpu(), wall: Instant::now() }
    }

    /// What has been used since.
    pub fn cost(&self) -> Cost {
        Cost { cpu: process_cpu().saturating_sub(self.cpu), wall: self.wall.elapsed() }
    }
}

/// Rounds of which the best counts.
const ROUNDS: usize = 5;

/// The best of some rounds of a stage and of its reference, in turn, so that both see the machine in the same mood.
pub fn duel<E>(
    mut stage: impl FnMut() -> Result<Cost, E>,
    mut reference: impl FnMut() -> Result<Cost, E>,
) -> Result<(Cost, Cost), E> {
    let mut best = (Cost::MAX, Cost::MAX);
    for _ in 0..ROUNDS {
        best = (best.0.least(stage()?), best.1.least(reference()?));
    }
    Ok(best)
}

/// Processor time of this process so far.
fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Processor time of all that has run on this machine, servers of the measurement included; `None` where the system does not say.
#[cfg(feature = "spark")]
pub fn machine_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // user nice system idle iowait irq softirq steal, in ticks; what a virtual machine's guests use is in user already.
    let ticks: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let [user, nice, system, _, _, irq, softirq, _] = ticks[..] else { return None };
    let per_s = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64((user + nice + system + irq + softirq) as f64 / per_s.max(1) as f64))
}

/// Forgets the peak of memory, where the system lets it be forgotten.
pub fn forget_peak_memory() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// The most memory held since then, in bytes; `None` where the system does not say.
pub fn peak_memory_bytes() -> Option<u64> {
    kib_of("/proc/self/status", "VmHWM:").map(|kib| kib << 10)
}

/// A line such as `VmHWM:   123 kB` of one of the system's files, in KiB.
pub fn kib_of(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok())
}
