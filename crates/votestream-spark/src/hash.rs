//! Kafka's two partitioners as SQL over an integer id: murmur2 from its decimal digits by arithmetic alone, crc32 as Spark has it.
//! That murmur2 is Kafka's own is held by `tests/real_server/kafkas_own.rs`, that crc32 is `votestream_election::partitioner`'s by `agreement.rs`.

use crate::sql::numbers;

/// The multiplier of murmur2.
const M: &str = "1540483477";
/// Its seed as Kafka has it, 0x9747b28c, as a signed integer.
const SEED: &str = "-1756908916";
/// Digits of the largest BIGINT.
const DIGITS_MAX: usize = 19;
/// Of which four at a time are hashed.
const QUADS: usize = DIGITS_MAX / 4;

/// The decimal digits of the BIGINT `id`, four at a time as numbers below 10,000: columns `q0`, `q1`, …, -1 where there are none left, and
/// `tail`, the one to three that are left at the end. `digits` is `id` as text.
pub(crate) fn quads(id: &str, digits: &str) -> Vec<(String, String)> {
    let powers = numbers("BIGINT", (0..DIGITS_MAX).map(|n| Some(10_i64.pow(n as u32))));
    let power = |of: String| format!("get({powers}, {of})");
    let int = |value: String, none: i32| format!("CAST(coalesce({value}, {none}L) AS INT)");
    let mut columns: Vec<(String, String)> = (0..QUADS)
        .map(|i| {
            let power = power(format!("length({digits}) - {}", 4 * (i + 1)));
            (format!("q{i}"), int(format!("({id} div {power}) % 10000L"), -1))
        })
        .collect();
    columns.push(("tail".to_owned(), int(format!("{id} % {}", power(format!("length({digits}) % 4"))), 0)));
    columns
}

/// A number below 10,000 divided by 100. Spark's own division may be NULL, and all that follows would be looked at for that.
fn hundreds(n: &str) -> String {
    format!("shiftright({n} * 5243, 19)")
}

/// Two digits, a number below 100, as the little-endian integer of their bytes, each without its 48.
fn pair(n: &str) -> String {
    format!("(shiftleft({n}, 8) - 2559 * shiftright({n} * 103, 10))")
}

/// murmur2 of the digits before its last two steps, from the columns of [`quads`]. Nothing in it is evaluated on a condition, so that Spark
/// evaluates what occurs twice once.
pub(crate) fn unfinished(digits: &str) -> String {
    let len = format!("length({digits})");
    let hashed = (0..QUADS).fold(format!("(({SEED}) ^ {len})"), |hash, i| {
        let q = format!("q{i}");
        let high = hundreds(&q);
        let word = format!(
            "(({} + shiftleft({}, 16) + 808464432) * {M})",
            pair(&high),
            pair(&format!("({q} - 100 * {high})"))
        );
        // Without those digits the hash stays as it is.
        format!(
            "(({hash} * IF({q} < 0, 1, {M})) ^ (((({word}) ^ shiftrightunsigned({word}, 24)) * {M}) * IF({q} < 0, 0, 1)))"
        )
    });
    let high = hundreds("tail");
    let rest = format!(
        "CASE {len} % 4 WHEN 1 THEN tail + 48 WHEN 2 THEN {} + 12336 WHEN 3 THEN {high} + shiftleft({}, 8) + 3158064 ELSE 0 END",
        pair("tail"),
        pair(&format!("(tail - 100 * {high})"))
    );
    format!("({hashed} ^ {rest}) * IF({len} % 4 > 0, {M}, 1)")
}

/// Whether murmur2 puts the voter on this partition; `unfinished` is a column.
pub(crate) fn murmur2_agrees(unfinished: &str, partition: &str, partitions: u32) -> String {
    let mixed = format!("(({unfinished} ^ shiftrightunsigned({unfinished}, 13)) * {M})");
    format!("((({mixed} ^ shiftrightunsigned({mixed}, 15)) & 2147483647) % {partitions}) = {partition}")
}

/// Whether crc32 of the digits does.
pub(crate) fn crc32_agrees(digits: &str, partition: &str, partitions: u32) -> String {
    format!("(crc32(CAST({digits} AS BINARY)) % {partitions}L) = {partition}")
}

#[cfg(test)]
mod tests {
    /// What [`super::hundreds`] and [`super::pair`] have Spark compute.
    #[test]
    fn digits_are_taken_apart_without_division() {
        for n in 0_i32..10_000 {
            let high = (n * 5_243) >> 19;
            assert_eq!(high, n / 100);
            let pair = |n: i32| (n << 8) - 2_559 * ((n * 103) >> 10);
            let bytes = pair(high) + (pair(n - 100 * high) << 16) + 808_464_432;
            assert_eq!(bytes.to_le_bytes(), format!("{n:04}").as_bytes());
        }
    }
}
