//! One member of a consumer group, as a process of its own: tests stop, wake and kill it.
//!
//! `group_member URL GROUP` prints a line at every change, `GENERATION PARTITION…`, and leaves when its standard input ends.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use votestream_log::{Group, LogError, LogUrl};

fn main() -> ExitCode {
    match member() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

fn member() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(group)) = (args.next(), args.next()) else {
        return Err("usage: group_member kafka://HOST:PORT/TOPIC GROUP".to_owned());
    };
    let LogUrl::Kafka(url) = url.parse::<LogUrl>().map_err(|error| error.to_string())? else {
        return Err("a kafka:// URL is needed".to_owned());
    };
    let text = |error: LogError| error.to_string();
    let group = Group::join(&url, &group).map_err(text)?;
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        // Whatever comes is thrown away; an error ends it as the end does.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end.store(true, Ordering::Release);
    });
    let mut seen = 0;
    while !ended.load(Ordering::Acquire) {
        let now = group.wait_change(seen, Duration::from_millis(100)).map_err(text)?;
        if now.generation != seen {
            seen = now.generation;
            let partitions: Vec<String> = now.partitions.iter().map(|id| id.0.to_string()).collect();
            let mut out = std::io::stdout();
            let told = writeln!(out, "{} {}", now.generation, partitions.join(" ")).and_then(|()| out.flush());
            told.map_err(|error| error.to_string())?;
        }
    }
    group.leave();
    Ok(())
}
