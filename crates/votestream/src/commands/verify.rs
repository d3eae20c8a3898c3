//! `verify`: a bundle checked on any machine, with no access to log or store. What is checked is `votestream_election::bundle`'s business.

use crate::args::Verify;
use crate::commands::keys;
use crate::{Outcome, progress};
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use votestream_election::bundle::{Checked, Signed, check, hex};

/// A bundle of a billion votes has a few megabytes; more than this is none.
const BUNDLE_BYTES_MAX: u64 = 1 << 30;

/// Runs the command.
pub fn run(args: &Verify) -> Result<Outcome> {
    let trusted = args.key.as_deref().map(keys::public_key).transpose()?;
    let name = args.bundle.display();
    let text = read(args).with_context(|| format!("cannot read the bundle '{name}'"))?;
    let mut out = std::io::stdout();
    let checked = match check(&text, &keys::is_signed) {
        Ok(checked) => checked,
        Err(fault) if fault.is_wrong() => {
            writeln!(out, "verify: '{name}' is not sound: {fault}")?;
            return Ok(Outcome::No);
        }
        Err(fault) => bail!("'{name}': {fault}"),
    };
    let signer = match (checked.signed, trusted) {
        (Signed::By(key), Some(trusted)) if key != trusted => {
            let (key, trusted) = (hex(&key), hex(&trusted));
            writeln!(out, "verify: '{name}' was signed by another key: {key}, not {trusted}")?;
            return Ok(Outcome::No);
        }
        (Signed::Not, Some(_)) => {
            writeln!(out, "verify: '{name}' is not signed, and --key names who must have signed it")?;
            return Ok(Outcome::No);
        }
        (Signed::By(key), Some(_)) => format!("signed by {}", hex(&key)),
        (Signed::By(key), None) => format!(
            "signed by {}: compare this key with the one that was published, or name that with --key",
            hex(&key)
        ),
        (Signed::Not, None) => "not signed: nobody vouches for it".to_owned(),
    };
    tell(&mut out, &checked, &signer)?;
    Ok(Outcome::Done)
}

fn tell(out: &mut impl Write, checked: &Checked, signer: &str) -> Result<()> {
    let results = &checked.results;
    writeln!(out, "verify: sound, {signer}")?;
    writeln!(
        out,
        "  {} ({}), as of {}",
        results.election.name,
        results.election.id,
        results.as_of.as_deref().unwrap_or("never")
    )?;
    writeln!(
        out,
        "  {} records, {} counted, {} duplicate, {} rejected; {} leaves, ledger {}",
        progress::grouped(results.records),
        progress::grouped(results.counted),
        progress::grouped(results.duplicate),
        progress::grouped(results.rejected),
        progress::grouped(checked.leaves),
        results.ledger.digest
    )?;
    for candidate in &results.candidates {
        writeln!(out, "  {}: {} votes", candidate.name, progress::grouped(candidate.votes))?;
    }
    Ok(())
}

fn read(args: &Verify) -> Result<String> {
    let input: Box<dyn Read> = if args.bundle.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(&args.bundle)?)
    };
    let mut text = String::new();
    input.take(BUNDLE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BUNDLE_BYTES_MAX {
        bail!("it has more than {} bytes, which no bundle has", progress::grouped(BUNDLE_BYTES_MAX));
    }
    Ok(text)
}
