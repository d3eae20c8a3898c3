//! Development commands: `cargo run -p xtask -- check` holds the workspace against what a compiler does not see: licences of
//! dependencies, which crate may depend on which, and the house's rules for files.

mod edges;

mod house;

mod licences;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("check") => {
            let metadata = edges::metadata()?;
            let mut faults = edges::check(&metadata);
            faults.extend(licences::check(&metadata));
            faults.extend(house::check()?);
            for fault in &faults {
                eprintln!("{fault}");
            }
            if faults.is_empty() {
                println!("licences, edges and house rules hold");
                return Ok(());
            }
            bail!("{} faults", faults.len())
        }
        _ => bail!("say what to do: cargo run -p xtask -- check"),
    }
}
