//! The signature: HMAC-SHA256 over the moment of sending and the body, so that a receiver knows who sent what, and when.

use super::event::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Fewest and most characters of a secret.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=256;

/// What sender and receiver share. Never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// 16 to 256 visible ASCII characters; `None`: it is not.
    pub fn new(text: &str) -> Option<Self> {
        let good = SECRET_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// The value of `X-Votestream-Signature`: `t=<unix seconds>,v1=<HMAC-SHA256 of "t.body" in hexadecimal>`.
    pub fn signature(&self, unix_s: i64, body: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(unix_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("t={unix_s},v1={}", hex(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same vector stands in docs/operating.md; another implementation (Python's hmac) gave it.
    #[test]
    fn the_signature_is_that_of_the_vector() {
        let secret = Secret::new("votestream-webhook-test-secret").unwrap();
        assert_eq!(
            secret.signature(1_730_851_200, br#"{"event":"complete"}"#),
            "t=1730851200,v1=fe0b94135252fd5b2eeaa2fdd0195f622df6f4a1eac70f5b4d608f8e64082349"
        );
    }

    #[test]
    fn a_secret_is_long_enough_and_never_shown() {
        for bad in ["", "short", "fifteen-letters", "has a space in it", "line\nbreak-in-the-middle"] {
            assert!(Secret::new(bad).is_none(), "{bad:?}");
        }
        assert!(Secret::new(&"x".repeat(257)).is_none());
        let secret = Secret::new("sixteen-letters!").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
