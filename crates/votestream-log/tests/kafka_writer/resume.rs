//! A source goes on where the topic leaves off, whoever else writes; a second run of it fences the first.

use crate::support::{PATIENCE, Source, broker, check, open, read, topic};
use rdkafka::producer::{BaseRecord, Producer};
use votestream_election::SourceId;
use votestream_log::LogError;

const ONE: SourceId = SourceId(0x1111);
const TWO: SourceId = SourceId(0x2222);

#[test]
fn a_source_goes_on_where_it_stopped() {
    let url = topic(&broker(), "resume", 3);
    for (from, to) in [(0, 1), (1, 5_000), (5_000, 5_000), (5_000, 60_000), (60_000, 60_010)] {
        let writer = open(&url);
        let mut source = Source::new(&writer, Some(ONE), 3_000);
        assert!(source.restart_at() <= from, "{} for {from}", source.restart_at());
        (source.restart_at()..to).for_each(|index| source.push(index).unwrap());
        source.flush().unwrap();
        writer.close().unwrap();
    }
    check(&read(&url, 3), 60_010, 3);
}

#[test]
fn sources_do_not_mind_each_other() {
    let url = topic(&broker(), "two", 2);
    let writer = open(&url);
    let mut one = Source::new(&writer, Some(ONE), 2_000);
    (0..3_000).for_each(|index| one.push(index).unwrap());
    one.flush().unwrap();
    // The same writer goes on with another source: as with several files.
    let mut two = Source::new(&writer, Some(TWO), 2_000);
    assert_eq!(two.restart_at(), 0);
    (0..100).for_each(|index| two.push(index).unwrap());
    two.flush().unwrap();
    // And much of nobody in particular.
    let other = open(&url);
    let mut nobody = Source::new(&other, None, 2_000);
    (0..50_000).for_each(|index| nobody.push(index).unwrap());
    nobody.flush().unwrap();
    assert_eq!(writer.resume(ONE).unwrap().into_iter().max(), Some(Some(2_999)));
    assert_eq!(writer.resume(TWO).unwrap().into_iter().max(), Some(Some(99)));
    assert_eq!(writer.resume(SourceId(3)).unwrap(), [None, None]);
    assert_eq!(read(&url, 2).len(), 53_100);
}

#[test]
fn an_open_transaction_of_another_hides_nothing() {
    // Another producer's transaction holds the last stable offset back; what we committed after it is found all the same.
    let url = topic(&broker(), "held", 1);
    let producer: rdkafka::producer::BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", url.brokers.join(","))
        .set("transactional.id", format!("held-{}", url.topic))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
        .send(BaseRecord::<(), str>::to(&url.topic).payload("record 0"))
        .map_err(|(error, _)| error)
        .unwrap();
    producer.flush(PATIENCE).unwrap();
    let writer = open(&url);
    let mut source = Source::new(&writer, Some(ONE), 2_000);
    (0..500).for_each(|index| source.push(index).unwrap());
    source.flush().unwrap();
    drop(writer);
    let writer = open(&url);
    assert_eq!(writer.resume(ONE).unwrap(), [Some(499)]);
    producer.abort_transaction(PATIENCE).unwrap();
    check(&read(&url, 1), 500, 1);
}

#[test]
fn a_second_run_fences_the_first() {
    let url = topic(&broker(), "fence", 2);
    let first = open(&url);
    let mut source = Source::new(&first, Some(ONE), 1_000);
    (0..1_000).for_each(|index| source.push(index).unwrap());
    source.flush().unwrap();
    (1_000..1_500).for_each(|index| source.push(index).unwrap());
    source.cut().unwrap();
    let second = open(&url);
    let mut again = Source::new(&second, Some(ONE), 1_000);
    // The first one's next attempt is refused, whether it was in the middle of a transaction or not.
    let refused = source.flush().and_then(|()| {
        source.push(1_500)?;
        source.flush()
    });
    let error = refused.unwrap_err();
    let first_error = match &error {
        LogError::Poisoned { first } => first,
        error => panic!("{error}"),
    };
    assert!(matches!(**first_error, LogError::OtherRun { .. }), "{error}");
    assert!(error.to_string().contains("another run of this source"), "{error}");
    (again.restart_at()..3_000).for_each(|index| again.push(index).unwrap());
    again.flush().unwrap();
    check(&read(&url, 2), 3_000, 2);
}
