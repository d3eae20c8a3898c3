//! Saying who we are: SASL PLAIN (RFC 4616) and SCRAM with SHA-256 and SHA-512 (RFC 5802, RFC 7677). Pure: what is sent and what an
//! answer means; the connection carries it.

use super::config::Credentials;
use crate::kafka_url::SaslMechanism;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SecureRandom;
use ring::{digest, hmac, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;

/// Random bytes in our nonce.
const NONCE_BYTES: usize = 24;
/// The least iterations that a server may ask for (Kafka's own least): fewer would make guessing cheap.
const ITERATIONS_MIN: u32 = 4096;
/// The most: some seconds of work, so that no server keeps us busy for ever.
const ITERATIONS_MAX: u32 = 1_000_000;
/// The longest message that a server may send.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Why saying who we are failed, beyond what the broker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SaslError {
    /// No randomness to be had.
    #[error("the system gives no random numbers")]
    Random,
    /// A message that is none.
    #[error("its message is malformed")]
    Malformed,
    /// Not the continuation of our nonce: an answer to somebody else, or an old one.
    #[error("its nonce does not continue ours")]
    Nonce,
    /// Out of bounds.
    #[error("it asks for {0} iterations, where {ITERATIONS_MIN} to {ITERATIONS_MAX} are accepted")]
    Iterations(u32),
    /// It has an error to tell.
    #[error("it refuses user or password")]
    Refused,
    /// It does not know the password: not the server that the user has an account with.
    #[error("it cannot prove that it knows the password either")]
    Signature,
}

/// What PLAIN sends: authorisation id (none), user, password.
pub(super) fn plain(credentials: &Credentials) -> Vec<u8> {
    format!("\0{}\0{}", credentials.user, credentials.password.reveal()).into_bytes()
}

/// SCRAM with a hash.
#[derive(Clone, Copy)]
struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

/// The first step of SCRAM: our first message is sent.
pub(super) struct ScramFirst<'a> {
    hash: Hash,
    credentials: &'a Credentials,
    nonce: String,
}

/// The second: our proof is sent.
pub(super) struct ScramFinal {
    /// What the server must sign with, to prove that it knows the password too.
    server_key: hmac::Key,
    auth_message: String,
}

impl<'a> ScramFirst<'a> {
    /// Starts with a random nonce; `None` for a mechanism that is not SCRAM.
    pub(super) fn start(credentials: &'a Credentials) -> Result<Option<Self>, SaslError> {
        let hash = match credentials.mechanism {
            SaslMechanism::Plain => return Ok(None),
            SaslMechanism::ScramSha256 => {
                Hash { digest: &digest::SHA256, hmac: hmac::HMAC_SHA256, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256 }
            }
            SaslMechanism::ScramSha512 => {
                Hash { digest: &digest::SHA512, hmac: hmac::HMAC_SHA512, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512 }
            }
        };
        let mut nonce = [0; NONCE_BYTES];
        ring::rand::SystemRandom::new().fill(&mut nonce).map_err(|_| SaslError::Random)?;
        Ok(Some(Self { hash, credentials, nonce: BASE64.encode(nonce) }))
    }

    /// What is sent first.
    pub(super) fn message(&self) -> String {
        format!("n,,{}", self.bare())
    }

    /// Our proof, from the server's first message, and the step that checks the server's.
    pub(super) fn answer(self, server_first: &[u8]) -> Result<(String, ScramFinal), SaslError> {
        let server_first = text(server_first)?;
        let mut parts = server_first.split(',');
        let mut field =
            |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(SaslError::Malformed);
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        // Longer than ours: the server must add to it.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(SaslError::Nonce);
        }
        let salt = BASE64.decode(salt).map_err(|_| SaslError::Malformed)?;
        let asked: u32 = iterations.parse().map_err(|_| SaslError::Malformed)?;
        let iterations =
            NonZeroU32::new(asked).filter(|_| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&asked));
        let iterations = iterations.ok_or(SaslError::Iterations(asked))?;

        let mut salted = vec![0; self.hash.digest.output_len()];
        let password = self.credentials.password.reveal().as_bytes();
        pbkdf2::derive(self.hash.pbkdf2, iterations, &salt, password, &mut salted);
        let salted = hmac::Key::new(self.hash.hmac, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        // "biws" is "n,,": no channel binding.
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.bare());
        let stored_key = digest::digest(self.hash.digest, client_key.as_ref());
        let signature =
            hmac::sign(&hmac::Key::new(self.hash.hmac, stored_key.as_ref()), auth_message.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::Key::new(self.hash.hmac, server_key.as_ref());
        Ok((format!("{without_proof},p={}", BASE64.encode(proof)), ScramFinal { server_key, auth_message }))
    }

    fn bare(&self) -> String {
        let user = self.credentials.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }
}

impl ScramFinal {
    /// Checks the server's last message: does it know the password too?
    pub(super) fn check(&self, server_final: &[u8]) -> Result<(), SaslError> {
        let message = text(server_final)?.split(',').next().unwrap_or_default();
        if message.starts_with("e=") {
            return Err(SaslError::Refused);
        }
        let signature = message.strip_prefix("v=").ok_or(SaslError::Malformed)?;
        let signature = BASE64.decode(signature).map_err(|_| SaslError::Malformed)?;
        // Takes the same time whatever differs.
        hmac::verify(&self.server_key, self.auth_message.as_bytes(), &signature)
            .map_err(|_| SaslError::Signature)
    }
}

fn text(message: &[u8]) -> Result<&str, SaslError> {
    let bounded = Some(message).filter(|message| message.len() <= MESSAGE_BYTES_MAX);
    bounded.and_then(|message| std::str::from_utf8(message).ok()).ok_or(SaslError::Malformed)
}

impl fmt::Debug for ScramFirst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramFirst").finish_non_exhaustive()
    }
}

impl fmt::Debug for ScramFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramFinal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn user() -> Credentials {
        Credentials { mechanism: SaslMechanism::ScramSha256, user: "user".into(), password: "pencil".into() }
    }

    fn start(credentials: &Credentials) -> ScramFirst<'_> {
        let mut first = ScramFirst::start(credentials).unwrap().unwrap();
        first.nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        first
    }

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn the_rfcs_exchange() {
        let credentials = user();
        let first = start(&credentials);
        assert_eq!(first.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (proof, last) = first.answer(SERVER_FIRST.as_bytes()).unwrap();
        let expect = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(proof, expect);
        last.check(SERVER_FINAL.as_bytes()).unwrap();
        assert_eq!(last.check(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Err(SaslError::Signature));
        assert_eq!(last.check(b"v="), Err(SaslError::Signature));
        assert_eq!(last.check(b"e=invalid-proof"), Err(SaslError::Refused));
        assert_eq!(last.check(b""), Err(SaslError::Malformed));
        assert_eq!(last.check(b"v=?"), Err(SaslError::Malformed));
    }

    #[test]
    fn a_server_that_is_not_as_it_should_be_is_refused() {
        let credentials = user();
        let refused = |message: &str| start(&credentials).answer(message.as_bytes()).err();
        assert_eq!(refused("r=other,s=AA==,i=4096"), Some(SaslError::Nonce));
        assert_eq!(refused("r=rOprNGfwEbeRWgbNEkqO,s=AA==,i=4096"), Some(SaslError::Nonce));
        assert_eq!(refused("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=1"), Some(SaslError::Iterations(1)));
        assert_eq!(
            refused("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=4000000000"),
            Some(SaslError::Iterations(4_000_000_000))
        );
        for malformed in [
            "",
            "r=",
            "s=AA==,r=rOprNGfwEbeRWgbNEkqOx,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "m=x,r=a",
        ] {
            let error = refused(malformed);
            assert!(matches!(error, Some(SaslError::Malformed | SaslError::Nonce)), "{malformed}: {error:?}");
        }
        assert_eq!(start(&credentials).answer(&[0xff; 10]).err(), Some(SaslError::Malformed));
        assert_eq!(start(&credentials).answer(&[b'r'; 5000]).err(), Some(SaslError::Malformed));
    }

    #[test]
    fn names_are_quoted_nonces_differ_and_nothing_prints_a_password() {
        let credentials = Credentials { user: "a=b,c".into(), ..user() };
        let first = start(&credentials);
        assert_eq!(first.message(), "n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO");
        let other = |credentials| ScramFirst::start(credentials).unwrap().unwrap().nonce;
        assert_ne!(other(&credentials), other(&credentials));
        assert!(!format!("{credentials:?} {first:?}").contains("pencil"));
        let plainly = Credentials { mechanism: SaslMechanism::Plain, ..credentials };
        assert_eq!(plain(&plainly), b"\0a=b,c\0pencil");
        assert!(ScramFirst::start(&plainly).unwrap().is_none());
    }
}
