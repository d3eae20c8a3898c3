//! Measures reading a Kafka topic: `cargo run --release --example kafka_read -- kafka://localhost:9092/voter_data`
//!
//! Three passes over all that is there when it starts, each from the topic's beginning: fetching alone; with checksums and
//! decompression; with every record looked at. One thread decodes for all partitions.

use std::time::{Duration, Instant};
use votestream_log::{LogError, LogReader, LogUrl, PartitionReader};

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("name a topic, as in kafka://localhost:9092/voter_data")?;
    let url: LogUrl = url.parse()?;
    println!("{:>28} {:>12} {:>10} {:>14}", "pass", "records", "seconds", "records/s");
    pass("fetch", &url, |reader| reader.pass_fetched().map(|any| any.then_some(0)))?;
    pass("+ checksum, decompress", &url, |reader| Ok(reader.next_batch()?.map(|_| 0)))?;
    pass("+ iterate", &url, |reader| {
        let Some(batch) = reader.next_batch()? else { return Ok(None) };
        let mut bytes = 0;
        for record in batch.records() {
            bytes += record?.value.map_or(0, <[u8]>::len) as u64;
        }
        Ok(Some(bytes))
    })?;
    Ok(())
}

fn pass(
    name: &str,
    url: &LogUrl,
    mut step: impl FnMut(&mut PartitionReader) -> Result<Option<u64>, LogError>,
) -> Result<(), LogError> {
    let log = LogReader::open_url(url)?;
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    let began = Instant::now();
    let readers = (0..).map(votestream_election::PartitionId).zip(&starts);
    let mut readers = readers.map(|(p, start)| log.partition(p, *start)).collect::<Result<Vec<_>, _>>()?;
    let mut bytes = 0;
    loop {
        let mut any = false;
        for reader in &mut readers {
            while let Some(of_batch) = step(reader)? {
                bytes += of_batch;
                any = true;
            }
        }
        if readers.iter().zip(&ends).all(|(reader, end)| reader.position() >= *end) {
            break;
        }
        let past: Vec<_> = readers.iter().map(PartitionReader::position).collect();
        if !any && !log.wait_past(&past, PATIENCE)? {
            println!("waiting: {}", log.trouble().unwrap_or_default());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let records: u64 = ends.iter().zip(&starts).map(|(end, start)| end.0 - start.0).sum();
    println!("{name:>28} {records:>12} {seconds:>10.3} {:>14.0}   {bytes} bytes", records as f64 / seconds);
    Ok(())
}
