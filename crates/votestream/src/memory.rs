//! What memory the machine has free.

/// Taken where the system does not say what is free.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// Half of the memory that programs can have without any being swapped out.
pub fn half_of_free() -> u64 {
    let free = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    free.map_or(UNKNOWN_BYTES, |kib| kib * 1024 / 2)
}
