//! `keygen`, and keys as files: Ed25519 in the forms that other programs read (PKCS#8 and SubjectPublicKeyInfo, RFC 8410, as PEM).

use crate::Outcome;
use crate::args::{Keygen, SigningArgs};
use anyhow::{Context, Result, bail};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use votestream_election::base64;
use votestream_election::bundle::{from_hex, hex};

/// What stands in front of the 32 bytes of a secret key in PKCS#8.
const SECRET_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands in front of the 32 bytes of a public key in SubjectPublicKeyInfo.
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// No key file is longer.
const KEY_FILE_BYTES_MAX: usize = 4_096;

/// A key that signs.
pub struct SigningKey(Ed25519KeyPair);

/// Runs `keygen`.
pub fn generate(args: &Keygen) -> Result<Outcome> {
    let mut secret = [0_u8; 32];
    let drawn = SystemRandom::new().fill(&mut secret);
    drawn.map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let key = SigningKey::of(&secret)?;
    let public_file = public_beside(&args.out);
    if public_file.exists() {
        bail!("'{}' is there already; keys are not overwritten: choose another name", public_file.display());
    }
    write_new(&args.out, &pem("PRIVATE KEY", &[&SECRET_PREFIX[..], &secret].concat()), 0o600)?;
    write_new(&public_file, &pem("PUBLIC KEY", &[&PUBLIC_PREFIX[..], &key.public()].concat()), 0o644)?;
    tracing::info!(
        "secret key in '{}': keep it; public key in '{}': publish it",
        args.out.display(),
        public_file.display()
    );
    writeln!(std::io::stdout(), "{}", hex(&key.public()))?;
    Ok(Outcome::Done)
}

fn public_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("'{}' is there already; keys are not overwritten: choose another name", path.display())
        }
        opened => opened.with_context(|| format!("cannot write '{}'", path.display()))?,
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write '{}'", path.display()))
}

impl SigningKey {
    /// The key that was named, if one was.
    pub fn named(args: &SigningArgs) -> Result<Option<Self>> {
        match (&args.key, &args.signing_key) {
            (Some(path), _) => {
                let text = read_key(path)?;
                Self::parse(&text).with_context(|| format!("the key file '{}'", path.display())).map(Some)
            }
            (None, Some(text)) => Self::parse(text).context("VOTESTREAM_SIGNING_KEY").map(Some),
            (None, None) => Ok(None),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let Some(bytes) = unpem("PRIVATE KEY", text) else {
            bail!("holds no secret key; `votestream keygen FILE` makes one (PEM, PKCS#8)");
        };
        match bytes.strip_prefix(&SECRET_PREFIX).and_then(|rest| rest.first_chunk::<32>()) {
            Some(secret) => Self::of(secret),
            None => bail!("holds a secret key that is not Ed25519; `votestream keygen FILE` makes one"),
        }
    }

    fn of(secret: &[u8; 32]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(secret);
        Ok(Self(pair.map_err(|error| anyhow::anyhow!("no key can be made: {error}"))?))
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    /// The signature over some bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

/// Whether the signature over some bytes is that of a public key.
pub fn is_signed(public: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(bytes, signature).is_ok()
}

/// A public key: 64 hexadecimal digits, or a file.
pub fn public_key(text: &str) -> Result<[u8; 32]> {
    if let Some(key) = from_hex(text).and_then(|bytes| bytes.try_into().ok()) {
        return Ok(key);
    }
    let path = Path::new(text);
    let file = read_key(path)?;
    let bytes = unpem("PUBLIC KEY", &file);
    let key =
        bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&PUBLIC_PREFIX)?.first_chunk::<32>().copied());
    key.with_context(|| {
        format!("the key file '{text}' holds no public key of `votestream keygen` (PEM, Ed25519)")
    })
}

fn read_key(path: &Path) -> Result<String> {
    let cannot = || format!("cannot read the key file '{}'", path.display());
    let bytes = std::fs::read(path).with_context(cannot)?;
    if bytes.len() > KEY_FILE_BYTES_MAX {
        bail!("'{}' is no key file: it has {} bytes", path.display(), bytes.len());
    }
    String::from_utf8(bytes).with_context(cannot)
}

fn pem(label: &str, bytes: &[u8]) -> String {
    // At most 48 bytes, which is one line.
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::encode(bytes))
}

/// What a PEM text of this label holds; line ends may have been lost, as they are in an environment variable.
fn unpem(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    base64::decode(&body.split_whitespace().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_signs() {
        // RFC 8032, section 7.1, test 1.
        let secret = from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let text = pem("PRIVATE KEY", &[&SECRET_PREFIX[..], &secret].concat());
        for text in [text.clone(), text.replace('\n', " ")] {
            let key = SigningKey::parse(&text).unwrap();
            assert_eq!(
                hex(&key.public()),
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
            );
            let signature = key.sign(b"");
            assert!(hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065"));
            assert!(is_signed(&key.public(), b"", &signature) && !is_signed(&key.public(), b"x", &signature));
        }
    }
}
