//! `results --format bundle`: what `verify` checks, all of one moment of the store.

use crate::args::SigningArgs;
use anyhow::{Result, bail};
use std::io::Write;
use votestream_election::Election;
use votestream_election::bundle::{Contents, write as bundle};
use votestream_election::delta::Progress;
use votestream_store::ReaderStore;

/// Times that a store which changes while it is read is read again.
const TRIES_MAX: u32 = 1_000;

/// What would sign: a public key and a signature of the bytes.
#[cfg(not(feature = "sign"))]
type Sign = fn(&[u8]) -> ([u8; 32], Vec<u8>);

/// Writes the bundle to standard output.
pub fn write(store: &ReaderStore, election: &Election, signing: &SigningArgs) -> Result<()> {
    #[cfg(not(feature = "sign"))]
    if signing.key.is_some() || signing.signing_key.is_some() {
        bail!(
            "this small build signs nothing; build the whole one with `make build` (target/release/votestream)"
        );
    }
    #[cfg(feature = "sign")]
    let key = crate::commands::keys::SigningKey::named(signing)?;
    #[cfg(feature = "sign")]
    let sign = key.as_ref().map(|key| |bytes: &[u8]| (key.public(), key.sign(bytes)));
    #[cfg(not(feature = "sign"))]
    let sign: Option<Sign> = None;
    for _ in 0..TRIES_MAX {
        let snapshot = store.snapshot(&election.id)?;
        let leaves = snapshot.progress.iter().map(|p| store.leaves(&election.id, p.partition));
        let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        let released = store.demographics(&election.id, None)?;
        if store.sequence(&election.id)? != snapshot.sequence {
            continue;
        }
        let pending: u64 = snapshot.progress.iter().map(Progress::pending_leaves).sum();
        if pending > 0 {
            bail!(
                "{pending} leaves of the ledger are counted and not hashed yet: whoever counts on Apache Spark hashes them within seconds, so try again, or start `votestream count --engine spark` once more to its end"
            );
        }
        let contents = Contents { election, snapshot: &snapshot, leaves: &leaves, released: &released };
        let text = match bundle(&contents, sign.as_ref().map(|sign| sign as _)) {
            Ok(text) => text,
            Err(withheld) => bail!(
                "{withheld} regions are withheld, and the ledger of a bundle would tell their votes; make it once they are public (`votestream close` or `reopen`)"
            ),
        };
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(());
    }
    bail!(
        "the store changes too fast for a bundle of one moment; stop counting first, or try when it is less busy"
    )
}
