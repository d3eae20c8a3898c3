//! Who voted: the canonical text of a voter's id, by which a voter is routed, and the key under which a voter is remembered.
//! Reading ids out of JSON is `event`'s business; choosing a partition from the text is `partitioner`'s.

use std::fmt;

/// Longest id that is a text, in bytes of UTF-8.
pub const VOTER_TEXT_BYTES_MAX: usize = 128;

/// The key of a voter. Integers and texts are separate sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VoterKey {
    /// An integer id below 2^64, as it is.
    Integer(u64),
    /// The first 16 bytes, big-endian, of BLAKE3 in key-derivation mode over the canonical text; context = election id (and salt).
    Text(u128),
}

impl fmt::Display for VoterKey {
    /// An integer as its digits; a text's key as `blake3:` and 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => id.fmt(f),
            Self::Text(key) => write!(f, "blake3:{key:032x}"),
        }
    }
}

/// The canonical text of a voter's id: a decimal `0|[1-9][0-9]*` below 2^64, or a lower-case hyphenated UUID, or the bytes as they are.
/// A voter's partition is a hash of this text. 1 to 128 bytes, held in place.
#[derive(Clone, Copy)]
pub struct VoterText {
    bytes: [u8; VOTER_TEXT_BYTES_MAX],
    len: u8,
}

impl VoterText {
    /// The text of an integer id: its decimal digits.
    pub fn of_integer(id: u64) -> Self {
        let (digits, first) = decimal(id);
        let mut bytes = [0; VOTER_TEXT_BYTES_MAX];
        let len = digits.len() - first;
        bytes[..len].copy_from_slice(&digits[first..]);
        Self { bytes, len: len as u8 }
    }

    /// The canonical form of an id that is a text (valid UTF-8, decoded). `None`: empty or longer than 128 bytes.
    pub fn of_text(text: &[u8]) -> Option<Self> {
        let mut canonical = Self { bytes: [0; VOTER_TEXT_BYTES_MAX], len: 0 };
        canonical.set(text).then_some(canonical)
    }

    /// Becomes the canonical form of an id that is a text. `false`: it is none, and nothing is changed.
    pub(crate) fn set(&mut self, text: &[u8]) -> bool {
        if text.is_empty() || text.len() > VOTER_TEXT_BYTES_MAX {
            return false;
        }
        self.bytes[..text.len()].copy_from_slice(text);
        self.len = text.len() as u8;
        if is_uuid(text) {
            self.bytes[..text.len()].make_ascii_lowercase();
        }
        true
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The integer that the text is, where it is `0|[1-9][0-9]*` below 2^64.
    pub fn as_integer(&self) -> Option<u64> {
        integer_of(self.as_bytes())
    }
}

impl fmt::Debug for VoterText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VoterText({:?})", String::from_utf8_lossy(self.as_bytes()))
    }
}

/// Derives the keys of one election's voters. The derivation context is hashed once, when it is made.
#[derive(Clone)]
pub struct VoterKeys {
    hasher: blake3::Hasher,
}

impl VoterKeys {
    /// Keys under the context election id ‖ salt.
    pub fn new(election_id: &str, salt: Option<&str>) -> Self {
        let context = format!("{election_id}{}", salt.unwrap_or_default());
        Self { hasher: blake3::Hasher::new_derive_key(&context) }
    }

    /// The key of a voter with this canonical text: the integer that it is, or else a hash.
    pub fn key_of(&mut self, text: &VoterText) -> VoterKey {
        match text.as_integer() {
            Some(id) => VoterKey::Integer(id),
            None => self.hash(text.as_bytes()),
        }
    }

    fn hash(&mut self, text: &[u8]) -> VoterKey {
        self.hasher.update(text);
        let digest = self.hasher.finalize();
        self.hasher.reset();
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        VoterKey::Text(u128::from_be_bytes(key))
    }
}

impl fmt::Debug for VoterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoterKeys")
    }
}

/// The key of a voter whose id is this text, canonical or not: for one key now and then; many are cheaper with [`VoterKeys`].
/// `None`: empty or longer than 128 bytes.
pub fn key_of_text(election_id: &str, salt: Option<&str>, text: &str) -> Option<VoterKey> {
    Some(VoterKeys::new(election_id, salt).key_of(&VoterText::of_text(text.as_bytes())?))
}

fn integer_of(text: &[u8]) -> Option<u64> {
    if text.len() > 20 || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter().try_fold(0_u64, |n, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| n.checked_mul(10)?.checked_add(u64::from(digit)))?
    })
}

/// Appends an integer's decimal digits.
#[inline]
pub fn push_decimal(id: u64, out: &mut Vec<u8>) {
    let (digits, first) = decimal(id);
    out.extend_from_slice(&digits[first..]);
}

/// Room for an integer's digits.
pub(crate) type Digits = [u8; 24];

/// An integer's digits, right-aligned, and where the first of them is.
#[inline]
pub(crate) fn decimal(id: u64) -> (Digits, usize) {
    const EIGHT: u64 = 100_000_000;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let mut digits = [0; 24];
    let words = [id / EIGHT / EIGHT, id / EIGHT % EIGHT, id % EIGHT].map(eight_digits);
    for (chunk, word) in digits.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&(word | ZEROS).to_le_bytes());
    }
    let leading = match words {
        [0, 0, 0] => 23,
        [0, 0, low] => 16 + low.trailing_zeros() / 8,
        [0, middle, _] => 8 + middle.trailing_zeros() / 8,
        [high, _, _] => high.trailing_zeros() / 8,
    };
    (digits, leading as usize)
}

/// The eight digits of a number below 10^8, the first in the lowest byte. (P. Khuong, "How to print integers really fast", 2017.)
#[inline]
fn eight_digits(n: u64) -> u64 {
    let fours = (n / 10_000) | (n % 10_000) << 32;
    // No step overflows within its lane: wrapping spares the checks.
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = (fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16) | hundreds;
    let tens = (pairs.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    (pairs.wrapping_sub(tens.wrapping_mul(10)) << 8) | tens
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && [8, 13, 18, 23].iter().all(|place| text[*place] == b'-')
        && text.iter().filter(|byte| byte.is_ascii_hexdigit()).count() == 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        String::from_utf8(VoterText::of_text(text.as_bytes()).unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn integers_and_their_texts_are_one_voter() {
        let powers = (0..64).map(|bit| 1_u64 << bit).chain((0..20).map(|n| 10_u64.pow(n)));
        let near =
            powers.flat_map(|n| [n - 1, n, n + 1]).chain([9_007_199_254_740_993, u64::MAX - 1, u64::MAX]);
        for id in near {
            let mut out = b"voter ".to_vec();
            push_decimal(id, &mut out);
            assert_eq!(out, format!("voter {id}").as_bytes());
            assert_eq!(VoterText::of_integer(id).as_bytes(), id.to_string().as_bytes());
            assert_eq!(key_of_text("e", None, &id.to_string()), Some(VoterKey::Integer(id)));
        }
    }

    #[test]
    fn other_texts_are_keyed_by_hash() {
        for text in [
            "012",
            "00",
            "-1",
            "+1",
            "1.0",
            "1e3",
            " 12",
            "12 ",
            "18446744073709551616",
            "99999999999999999999",
            "x",
        ] {
            assert!(matches!(key_of_text("e", None, text), Some(VoterKey::Text(_))), "{text}");
            assert_eq!(canonical(text), text);
        }
        assert_eq!(key_of_text("e", None, ""), None);
        assert_eq!(key_of_text("e", None, &"x".repeat(129)), None);
        assert!(key_of_text("e", None, &"x".repeat(128)).is_some());
    }

    #[test]
    fn a_hyphenated_uuid_is_lower_case_and_nothing_else_is_changed() {
        let uuid = "3F2504E0-4F89-11D3-9A0C-0305E82C3301";
        assert_eq!(canonical(uuid), uuid.to_lowercase());
        assert_eq!(key_of_text("e", None, uuid), key_of_text("e", None, &uuid.to_lowercase()));
        for text in [
            "3F2504E04F8911D39A0C0305E82C3301",
            "3F2504E0-4F89-11D3-9A0C-0305E82C330G",
            "ABC",
            "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
        ] {
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn the_key_is_blake3_in_key_derivation_mode() {
        let expect = blake3::derive_key("us-president-2024pepper", b"anna");
        let mut head = [0; 16];
        head.copy_from_slice(&expect[..16]);
        let key = VoterKey::Text(u128::from_be_bytes(head));
        assert_eq!(key_of_text("us-president-2024", Some("pepper"), "anna"), Some(key));
        assert_ne!(key_of_text("us-president-2024", None, "anna"), Some(key));
        let mut keys = VoterKeys::new("us-president-2024", Some("pepper"));
        keys.key_of(&VoterText::of_text(b"somebody else").unwrap());
        assert_eq!(
            keys.key_of(&VoterText::of_text(b"anna").unwrap()),
            key,
            "one key leaves no trace in the next"
        );
    }

    #[test]
    fn keys_are_shown_as_digits_or_hexadecimal() {
        assert_eq!(VoterKey::Integer(12).to_string(), "12");
        assert_eq!(VoterKey::Text(0xabc).to_string(), format!("blake3:{}abc", "0".repeat(29)));
    }
}
