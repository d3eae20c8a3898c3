//! Each stage of a vote's way alone, single-threaded, on records held in memory, beside a reference on the same data. The stages are the
//! product's own functions; references are what the same bytes cost at least, or what one would use instead.

use super::clock::Cost;
use super::report::{Clock, Stage, StagesReport};
use super::room::Room;
use super::sample::Sample;
use super::{check, count_side, write_side};
use crate::progress;
use anyhow::Result;
use votestream_engine::Shutdown;
use votestream_sim::Simulation;

/// Measures them all.
pub fn measure(room: &Room, simulation: &Simulation, shutdown: &Shutdown) -> Result<StagesReport> {
    let dir = room.sub("stages")?;
    let line = progress::line();
    let step = |what: &'static str| {
        line.set_message(format!("stages: {what}"));
        check(shutdown)
    };
    step("sample")?;
    let sample = Sample::take(simulation)?;
    let mut stages = write_side::measure(&sample, simulation, &dir, &step)?;
    stages.extend(count_side::measure(&sample, simulation, &dir, &step)?);
    step("all cores at once")?;
    let all_cores_gain = count_side::all_cores_gain(&sample, simulation);
    line.finish_and_clear();
    Ok(StagesReport {
        sample: sample.records(),
        all_cores_gain,
        cpu_ns_a_vote: stages.iter().filter(|stage| stage.summed).map(|stage| stage.cpu_ns).sum(),
        stages,
    })
}

/// Says what comes next, and whether to go on.
pub type Step<'a> = &'a dyn Fn(&'static str) -> Result<()>;

/// A stage that computes.
pub fn computed(name: &str, reference: &'static str, votes: u64, costs: (Cost, Cost)) -> Stage {
    stage(name, reference, votes, costs, Clock::Cpu)
}

/// A stage that waits for a disk.
pub fn waited(name: &str, reference: &'static str, votes: u64, costs: (Cost, Cost)) -> Stage {
    stage(name, reference, votes, costs, Clock::Wall)
}

fn stage(
    name: &str,
    reference: &'static str,
    votes: u64,
    (cost, other): (Cost, Cost),
    compared_by: Clock,
) -> Stage {
    let ns = |time: std::time::Duration| time.as_nanos() as f64 / votes.max(1) as f64;
    let (stage_ns, reference_ns) = match compared_by {
        Clock::Cpu => (cost.cpu, other.cpu),
        Clock::Wall => (cost.wall, other.wall),
    };
    Stage {
        name: name.to_owned(),
        cpu_ns: ns(cost.cpu),
        wall_ns: ns(cost.wall),
        reference,
        reference_cpu_ns: ns(other.cpu),
        reference_wall_ns: ns(other.wall),
        compared_by,
        ratio: stage_ns.as_secs_f64() / reference_ns.as_secs_f64(),
        summed: true,
    }
}
