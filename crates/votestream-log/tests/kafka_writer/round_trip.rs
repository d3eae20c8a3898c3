//! What is written is read by Kafka's own readers: every codec, keys, partitions, times; large batches; what a topic refuses.

use crate::support::{Source, broker, check, check_acks, open, read, topic, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use std::process::Command;
use std::sync::mpsc;
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::{
    BatchBuilder, Codec, KafkaUrl, LogError, LogReader, LogUrl, LogWriter, TryAppendError, WriterOptions,
};

#[test]
fn every_codec_is_read_by_librdkafka() {
    for codec in [Codec::Lz4, Codec::Zstd, Codec::None] {
        let mut url = topic(&broker(), "codec", 3);
        url.options.codec = codec;
        let writer = open(&url);
        assert!(writer.keyed() && writer.handle().keyed());
        assert_eq!((writer.partitions(), writer.codec()), (3, codec));
        assert_eq!(writer.end_offsets(), [Offset(0); 3]);
        let mut source = Source::new(&writer, None, 20_000);
        let acks = source.tell();
        for index in 0..30_000 {
            source.push(index).unwrap();
        }
        source.flush().unwrap();
        let ends = writer.end_offsets();
        writer.close().unwrap();
        let read = read(&url, 3);
        check(&read, 30_000, 3);
        check_acks(&acks, &read);
        assert_eq!(ends.iter().map(|end| end.0).sum::<u64>(), 30_000);
        assert_eq!(open(&url).end_offsets(), ends);
    }
}

#[test]
fn our_own_reader_reads_it_too() {
    let url = topic(&broker(), "own", 1);
    let writer = open(&url);
    let mut source = Source::new(&writer, None, 5_000);
    (0..1_000).for_each(|index| source.push(index).unwrap());
    source.flush().unwrap();
    let log = LogReader::open_url(&LogUrl::Kafka(url)).unwrap();
    assert_eq!(log.log_id(), writer.log_id());
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let mut next = 0;
    let deadline = crate::support::Deadline::start();
    while next < 1_000 {
        deadline.ahead(|| format!("record {next}: {:?}", log.trouble()));
        match reader.next_batch().unwrap() {
            Some(batch) => {
                for record in batch.records() {
                    let record = record.unwrap();
                    assert_eq!(record.value, Some(format!("record {next}").as_bytes()));
                    assert_eq!(record.key, crate::support::key(next).as_deref().map(str::as_bytes));
                    next += 1;
                }
            }
            None => drop(log.wait_past(&[Offset(next)], std::time::Duration::from_millis(100)).unwrap()),
        }
    }
}

#[test]
fn the_console_consumer_reads_it() {
    let lib = std::env::var("VOTESTREAM_TEST_KAFKA_LIB").expect(
        "VOTESTREAM_TEST_KAFKA_LIB names no folder of jars; run this through scripts/with-services.sh",
    );
    let url = topic(&broker(), "console", 1);
    let writer = open(&url);
    let mut source = Source::new(&writer, None, 1_000);
    (0..200).for_each(|index| source.push(index).unwrap());
    source.flush().unwrap();
    let output = Command::new("java")
        .args([
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &format!("{lib}/*"),
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
        ])
        .args(["--bootstrap-server", &broker(), "--topic", &url.topic, "--from-beginning"])
        .args(["--max-messages", "200", "--timeout-ms", "60000"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expect: Vec<String> = (0..200).map(|index| format!("record {index}")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expect, "{}", String::from_utf8_lossy(&output.stderr));
}

/// `max.message.bytes` of the topic; the broker's default is 1,048,588.
fn limit(url: &KafkaUrl, bytes: u32) {
    let admin: AdminClient<_> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", url.brokers.join(",")).create().unwrap();
    let bytes = bytes.to_string();
    let config = AlterConfig::new(ResourceSpecifier::Topic(&url.topic)).set("max.message.bytes", &bytes);
    let altered = wait_for(admin.alter_configs([&config], &AdminOptions::new())).unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
}

#[test]
fn a_batch_that_is_too_large_for_the_topic_is_cut() {
    let mut url = topic(&broker(), "cut", 2);
    url.options.codec = Codec::None;
    limit(&url, 20_000);
    for source in [None, Some(votestream_election::SourceId(9))] {
        let url = if source.is_some() {
            let mut other = topic(&broker(), "cut", 2);
            other.options.codec = Codec::None;
            limit(&other, 20_000);
            other
        } else {
            url.clone()
        };
        let writer = open(&url);
        let mut maker = Source::new(&writer, source, 150_000);
        let acks = maker.tell();
        (0..40_000).for_each(|index| maker.push(index).unwrap());
        maker.flush().unwrap();
        let read = read(&url, 2);
        check(&read, 40_000, 2);
        check_acks(&acks, &read);
        if let Some(source) = source {
            let last = writer.resume(source).unwrap();
            assert_eq!(last.into_iter().max(), Some(Some(39_999)));
        }
    }
    // One record that is too large alone is said so.
    let writer = open(&url);
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(Millis(0), &vec![b'x'; 30_000], None);
    writer.handle().append(PartitionId(0), builder.seal(None)).unwrap();
    let error = writer.close().unwrap_err().to_string();
    assert!(error.contains("max.message.bytes"), "{error}");
}

#[test]
fn refusals_say_what_to_do() {
    let none = KafkaUrl::new([broker()], "there-is-no-such-topic");
    let error = LogWriter::open_url(&LogUrl::Kafka(none), WriterOptions::default()).unwrap_err();
    assert!(matches!(error, LogError::NoSuchTopic { .. }), "{error}");
    let url = topic(&broker(), "refusals", 1);
    let writer = open(&url);
    let handle = writer.handle();
    let batch = |bytes: usize| {
        let mut builder = BatchBuilder::new(64 << 20);
        builder.push(Millis(0), &vec![b'x'; bytes], None);
        builder.seal(None)
    };
    let error = handle.append(PartitionId(1), batch(1)).unwrap_err();
    assert!(matches!(error, LogError::NoSuchPartition { partitions: 1, .. }), "{error}");
    let error = handle.append(PartitionId(0), batch(17 << 20)).unwrap_err();
    assert!(matches!(error, LogError::BatchTooLarge { .. }), "{error}");
    writer.close().unwrap();
    let error = handle.append(PartitionId(0), batch(1)).unwrap_err();
    assert!(matches!(error, LogError::Closed), "{error}");
}

#[test]
fn a_full_queue_says_so() {
    let url = topic(&broker(), "full", 1);
    let writer = open(&url);
    let handle = writer.handle();
    let (tell, told) = mpsc::channel();
    let mut builder = BatchBuilder::new(64 << 20);
    let mut taken = 0_u32;
    let value = vec![b'x'; 60_000];
    let full = (0..200_000).any(|_| {
        builder.push(Millis(0), &value, None);
        let tell = tell.clone();
        match handle.try_append_acked(
            PartitionId(0),
            builder.seal(None),
            Box::new(move |done| drop(tell.send(done))),
        ) {
            Ok(()) => {
                taken += 1;
                false
            }
            Err(TryAppendError::Full(batch, _)) => {
                assert_eq!(batch.records(), 1);
                true
            }
            Err(TryAppendError::Refused(error)) => panic!("{error}"),
        }
    });
    assert!(full, "200,000 batches of 60 kB did not fill the queue");
    handle.flush().unwrap();
    drop(tell);
    assert_eq!(told.iter().flatten().count(), taken as usize);
}
