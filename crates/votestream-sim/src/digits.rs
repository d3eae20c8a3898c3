//! Numbers and times as text, without a formatter: two digits at a time, and times kept until the second changes.

/// A number below 10^8 as eight digits. The three steps halve groups of digits side by side in one word.
#[inline]
fn eight(n: u32) -> [u8; 8] {
    let n = u64::from(n);
    let fours = (n / 10_000) | ((n % 10_000) << 32);
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16);
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos.wrapping_sub(tens.wrapping_mul(10)) << 8);
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

/// A number below 10^16 as sixteen digits.
#[inline]
pub(crate) fn sixteen(n: u64) -> [u8; 16] {
    let high = eight((n / 100_000_000) as u32);
    let low = eight((n % 100_000_000) as u32);
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&high);
    digits[8..].copy_from_slice(&low);
    digits
}

/// murmur2 with Kafka's seed over sixteen bytes: what `votestream_election::partitioner::murmur2` gives, unrolled.
#[inline]
pub(crate) fn murmur2(key: &[u8; 16]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c_u32 ^ 16;
    for word in key.as_chunks::<4>().0 {
        let k = u32::from_le_bytes(*word).wrapping_mul(M);
        let k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_those_of_the_formatter(n in 0..10_000_000_000_000_000_u64) {
            prop_assert_eq!(sixteen(n).to_vec(), format!("{n:016}").into_bytes());
        }

        #[test]
        fn the_hash_is_that_of_the_partitioner(key: [u8; 16]) {
            prop_assert_eq!(murmur2(&key), votestream_election::partitioner::murmur2(&key));
        }
    }

    #[test]
    fn every_four_digits_are_right_at_either_place() {
        for n in 0..10_000 {
            assert_eq!(std::str::from_utf8(&eight(n * 10_000 + n)).unwrap(), format!("{n:04}{n:04}"));
        }
    }
}
