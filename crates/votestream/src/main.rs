//! votestream: turns a stream of votes into live, trustworthy election results. This file starts a command and ends with its status;
//! what a command does is in `commands`, what it may be told in `args`.

mod args;

mod config;

mod commands;

mod contest;

mod listen;

mod logging;

mod memory;

mod progress;

mod signals;

mod stdin;

mod table;

mod terminal;

use clap::Parser;
use std::io::IsTerminal;
use std::process::ExitCode;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done, and the answer is "no": a recount differs, a check failed, a strict input had rejects.
    No,
}

fn main() -> ExitCode {
    let arguments = match config::with_file(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return could_not_run(&error),
    };
    let cli = match args::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` are answers; all else is a mistake, and clap says which.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    // Messages would be written over what it draws.
    let draws = matches!(cli.command, args::Command::Top(_)) && std::io::stderr().is_terminal();
    if !draws {
        logging::start(&cli.common);
    }
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    match commands::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => could_not_run(&error),
    }
}

fn could_not_run(error: &anyhow::Error) -> ExitCode {
    eprintln!("votestream: {}", error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "));
    ExitCode::from(2)
}

/// Whoever read our output has gone, as `head` does: no fault.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
