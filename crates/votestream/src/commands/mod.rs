//! One file a command: what it gathers, which loops it starts, what it prints. The loops themselves are in the other crates.

#[cfg(feature = "archive")]
mod archive;
mod bench;
mod count;
mod desk;
mod doctor;
mod fail_points;
mod ingest;
mod init;
#[cfg(feature = "sign")]
mod keys;
mod peek;
mod recount;
mod results;
mod serve;
mod simulate;
mod source;
#[cfg(feature = "top")]
mod top;
mod up;
#[cfg(feature = "sign")]
mod verify;
mod writing;

use crate::Outcome;
use crate::args::{Cli, Command};
use anyhow::Result;
use clap::CommandFactory;
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
        #[cfg(feature = "archive")]
        Command::Archive(args) => archive::run(&args),
        #[cfg(not(feature = "archive"))]
        Command::Archive(_) => anyhow::bail!(
            "`archive` is left out of this small build; build the whole one with `make build` (target/release/votestream)"
        ),
        Command::Serve(args) => serve::run(&args),
        Command::Results(args) => results::run(&args),
        #[cfg(feature = "top")]
        Command::Top(args) => top::run(&args),
        #[cfg(not(feature = "top"))]
        Command::Top(_) => anyhow::bail!(
            "`top` is left out of this small build; build the whole one with `make build` (target/release/votestream), or use `votestream results`"
        ),
        Command::Recount(args) => recount::run(&args),
        #[cfg(feature = "sign")]
        Command::Keygen(args) => keys::generate(&args),
        #[cfg(feature = "sign")]
        Command::Verify(args) => verify::run(&args),
        #[cfg(not(feature = "sign"))]
        Command::Keygen(_) | Command::Verify(_) => anyhow::bail!(
            "signatures are left out of this small build; build the whole one with `make build` (target/release/votestream)"
        ),
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
        Command::FailPoints => fail_points::run(),
    }
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

/// A version 4 UUID as a number, for names that nobody draws twice.
#[cfg(feature = "spark")]
pub fn random_wide() -> u128 {
    let wide = u128::from(random()) << 64 | u128::from(random());
    wide & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
}

/// Threads to use: as asked, or one a core.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}
