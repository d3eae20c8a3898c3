//! One file a command: what it gathers, which loops it starts, what it prints. The loops themselves are in the other crates.

mod bench;
mod count;
mod desk;
mod doctor;
mod ingest;
mod init;
mod peek;
mod recount;
mod results;
mod serve;
mod simulate;
mod source;
mod up;
mod writing;

use crate::Outcome;
use crate::args::{Cli, Command};
use anyhow::Result;
use clap::CommandFactory;
use std::io::Write;
use votestream_election::Millis;
use votestream_election::delta::DeskAction;

/// Runs the command.
pub fn run(cli: Cli) -> Result<Outcome> {
    match cli.command {
        Command::Up(args) => up::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Source(args) => source::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Count(args) => count::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Results(args) => results::run(&args),
        Command::Recount(args) => recount::run(&args),
        Command::Close(args) => desk::run(&args, DeskAction::Close),
        Command::Reopen(args) => desk::run(&args, DeskAction::Reopen),
        Command::Hold(args) => desk::run(&args, DeskAction::Hold),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "votestream", &mut std::io::stdout());
            Ok(Outcome::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(Outcome::Done)
        }
        Command::FailPoints => fail_points(),
    }
}

fn fail_points() -> Result<Outcome> {
    let mut out = std::io::stdout();
    for point in
        [votestream_log::FAIL_POINTS, votestream_store::FAIL_POINTS, votestream_engine::FAIL_POINTS].concat()
    {
        writeln!(out, "{point}")?;
    }
    Ok(Outcome::Done)
}

/// The wall clock.
pub fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}

/// A number that nobody outside can guess: it spreads the slots of the voter table, and no result depends on it.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Threads to use: as asked, or one a core.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}
