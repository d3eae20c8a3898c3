//! Flags of what is signed and checked: keys, bundles.

use clap::Args;
use std::path::PathBuf;

/// Which key signs.
#[derive(Clone, Debug, Default, Args)]
pub struct SigningArgs {
    /// The secret key that signs a bundle: a file of `votestream keygen`
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    pub key: Option<PathBuf>,
    /// The secret key itself, as in such a file; from the environment only, where it is not seen by others
    #[arg(long, env = "VOTESTREAM_SIGNING_KEY", hide = true, hide_env_values = true)]
    pub signing_key: Option<String>,
}

/// Make a key.
#[derive(Debug, Args)]
pub struct Keygen {
    /// Where the secret key goes; the public one goes beside it, with .pub
    #[arg(value_name = "FILE")]
    pub out: PathBuf,
}

/// Check a bundle.
#[derive(Debug, Args)]
pub struct Verify {
    /// The bundle: a file of `votestream results --format bundle`; -: standard input
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// The public key that must have signed it: a file of `votestream keygen`, or 64 hexadecimal digits
    #[arg(long, value_name = "FILE|HEX")]
    pub key: Option<String>,
}
