//! Which partition a voter belongs to: murmur2 (Java, kafka-python) and crc32 (librdkafka), and the set of those still possible.

use crate::ids::PartitionId;

/// A way of choosing a partition from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// Kafka's own: murmur2 of the key, sign bit cleared, modulo partitions.
    Murmur2,
    /// librdkafka's `consistent_random`: CRC-32 (IEEE) of the key, modulo partitions.
    Crc32,
}

/// The partitioners that every valid vote so far agrees with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionerSet {
    /// murmur2 is still possible.
    pub murmur2: bool,
    /// crc32 is still possible.
    pub crc32: bool,
}

impl PartitionerSet {
    /// Nothing known yet: both possible.
    pub const ALL: Self = Self { murmur2: true, crc32: true };
    /// Logs that this program writes.
    pub const MURMUR2: Self = Self { murmur2: true, crc32: false };

    /// No partitioner explains the log.
    pub const NONE: Self = Self { murmur2: false, crc32: false };

    /// No partitioner explains the log any more.
    pub fn is_empty(self) -> bool {
        !self.murmur2 && !self.crc32
    }

    /// What both sets allow.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self { murmur2: self.murmur2 && other.murmur2, crc32: self.crc32 && other.crc32 }
    }

    /// The set as kept in the store: `murmur2,crc32`, `murmur2`, `crc32` or the empty text.
    pub fn to_text(self) -> &'static str {
        match (self.murmur2, self.crc32) {
            (true, true) => "murmur2,crc32",
            (true, false) => "murmur2",
            (false, true) => "crc32",
            (false, false) => "",
        }
    }

    /// Reads what [`Self::to_text`] writes.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "murmur2,crc32" => Some(Self::ALL),
            "murmur2" => Some(Self::MURMUR2),
            "crc32" => Some(Self { murmur2: false, crc32: true }),
            "" => Some(Self { murmur2: false, crc32: false }),
            _ => None,
        }
    }
}

/// The partition that Kafka's default partitioner gives `key` among `partitions` (> 0).
#[inline]
pub fn murmur2_partition(key: &[u8], partitions: u32) -> PartitionId {
    PartitionId((murmur2(key) & 0x7fff_ffff) % partitions)
}

/// The partition that librdkafka's default partitioner gives a non-empty `key` among `partitions` (> 0).
pub fn crc32_partition(key: &[u8], partitions: u32) -> PartitionId {
    PartitionId(crc32(key) % partitions)
}

/// murmur2 with Kafka's seed, as in `org.apache.kafka.common.utils.Utils.murmur2` (algorithm by Austin Appleby, public domain).
#[inline]
pub fn murmur2(data: &[u8]) -> u32 {
    match <&[u8; 16]>::try_from(data) {
        // As long as most ids are: with the length known beforehand there is no loop left.
        Ok(sixteen) => murmur2_of(sixteen),
        Err(_) => murmur2_of(data),
    }
}

#[inline]
fn murmur2_of(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

/// CRC-32 as in IEEE 802.3 (reflected polynomial 0xedb88320), which librdkafka's default partitioner hashes keys with.
pub fn crc32(data: &[u8]) -> u32 {
    !data
        .iter()
        .fold(!0_u32, |crc, byte| CRC32_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const CRC32_TABLE: [u32; 256] = crc32_table();

const fn crc32_table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_kafkas_own_test_vectors() {
        // From UtilsTest.testMurmur2 in Apache Kafka.
        for (text, expect) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, expect, "{text}");
        }
    }

    #[test]
    fn crc32_agrees_with_the_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
