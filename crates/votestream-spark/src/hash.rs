//! Kafka's two partitioners as SQL over an integer id: murmur2 from its decimal digits by arithmetic alone, crc32 as Spark has it.
//! That they say what `votestream_election::partitioner` says is held by `tests/real_server/agreement.rs`.

/// The multiplier of murmur2.
const M: &str = "1540483477";
/// Its seed as Kafka has it, 0x9747b28c, as a signed integer.
const SEED: &str = "-1756908916";
/// Digits of the largest BIGINT.
const DIGITS_MAX: usize = 19;

/// Layers of columns, each of which may use those before it. `id`: a BIGINT from 0 on; `digits`: it as text.
pub(crate) fn murmur2_layers(id: &str, digits: &str) -> Vec<Vec<(String, String)>> {
    let powers: Vec<String> = (0..DIGITS_MAX).map(|n| format!("{}L", 10_u64.pow(n as u32))).collect();
    let powers = format!("array({})", powers.join(","));
    let mut layers = vec![vec![("len".to_owned(), format!("length({digits})"))]];
    // Four digits at a time as a number below 10,000, and what is left at the end.
    let mut parts: Vec<(String, String)> = (0..DIGITS_MAX / 4)
        .map(|i| (format!("q{i}"), format!("({id} div get({powers}, len - {})) % 10000L", 4 * (i + 1))))
        .collect();
    parts.push(("tail".to_owned(), format!("{id} % get({powers}, len % 4)")));
    layers.push(parts);
    // Those digits as the little-endian integer that their four bytes are, times the multiplier.
    let mut words: Vec<(String, String)> = (0..DIGITS_MAX / 4)
        .map(|i| {
            let q = format!("q{i}");
            let word = format!(
                "({q} div 1000L) + shiftleft(({q} div 100L) % 10L, 8) + shiftleft(({q} div 10L) % 10L, 16) + shiftleft({q} % 10L, 24) + 808464432L"
            );
            (format!("w{i}"), format!("CAST({word} AS INT) * {M}"))
        })
        .collect();
    words.push((
        "wt".to_owned(),
        "CAST(CASE len % 4 WHEN 1 THEN tail + 48L \
         WHEN 2 THEN (tail div 10L) + shiftleft(tail % 10L, 8) + 12336L \
         WHEN 3 THEN (tail div 100L) + shiftleft((tail div 10L) % 10L, 8) + shiftleft(tail % 10L, 16) + 3158064L END AS INT)"
            .to_owned(),
    ));
    layers.push(words);
    layers.push(vec![("h0".to_owned(), format!("({SEED}) ^ len"))]);
    for i in 0..DIGITS_MAX / 4 {
        let mixed = format!("(h{i} * {M}) ^ ((w{i} ^ shiftrightunsigned(w{i}, 24)) * {M})");
        layers.push(vec![(
            format!("h{}", i + 1),
            format!("CASE WHEN len >= {} THEN {mixed} ELSE h{i} END", 4 * (i + 1)),
        )]);
    }
    let last = format!("h{}", DIGITS_MAX / 4);
    layers.push(vec![(
        "ht".to_owned(),
        format!("CASE WHEN len % 4 > 0 THEN ({last} ^ wt) * {M} ELSE {last} END"),
    )]);
    layers.push(vec![("hm".to_owned(), format!("(ht ^ shiftrightunsigned(ht, 13)) * {M}"))]);
    layers.push(vec![("murmur2".to_owned(), "hm ^ shiftrightunsigned(hm, 15)".to_owned())]);
    layers
}

/// Whether murmur2, computed in the layers, puts the voter on this partition.
pub(crate) fn murmur2_agrees(partition: &str, partitions: u32) -> String {
    format!("((murmur2 & 2147483647) % {partitions}) = {partition}")
}

/// Whether crc32 of the digits does.
pub(crate) fn crc32_agrees(digits: &str, partition: &str, partitions: u32) -> String {
    format!("(crc32(CAST({digits} AS BINARY)) % {partitions}L) = {partition}")
}
