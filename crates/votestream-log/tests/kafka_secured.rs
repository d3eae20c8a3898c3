//! TLS and SASL against a real broker that has both: every way in works, every wrong way is told in a sentence and in time.

#[path = "kafka_common/names.rs"]
mod names;

use names::{unique, variable};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};
use votestream_election::{Millis, Offset, PartitionId, SourceId};
use votestream_log::{
    BatchBuilder, KafkaUrl, LogError, LogReader, LogUrl, LogWriter, WriterOptions, create_topic, describe,
};

/// Longest that anything wrong may take: a connection's and a handshake's deadline, and some for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(25);

/// What `env` in the broker's directory says.
fn secured() -> HashMap<String, String> {
    let dir = variable("VOTESTREAM_TEST_KAFKA_SECURED");
    let text = std::fs::read_to_string(Path::new(&dir).join("env")).unwrap();
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// `kafka://` and the template with its `{NAME}`s replaced.
fn url(template: &str) -> KafkaUrl {
    let mut text = format!("kafka://{template}");
    for (name, value) in secured() {
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    text.parse().unwrap()
}

const ANNA: &str = "user={USER}&password_file={PASSWORD_FILE}";

#[test]
fn every_way_in_makes_writes_and_reads_a_topic() {
    let ways = [
        "{TLS}/T?ca={CA}".to_owned(),
        "{MTLS}/T?ca={CA}&cert={CLIENT_CERT}&key={CLIENT_KEY}".to_owned(),
        format!("{{SASL_TLS}}/T?ca={{CA}}&sasl=plain&{ANNA}"),
        format!("{{SASL_TLS}}/T?ca={{CA}}&sasl=scram-sha-256&{ANNA}"),
        format!("{{SASL_TLS}}/T?ca={{CA}}&sasl=scram-sha-512&{ANNA}"),
        format!("{{SASL_CLEAR}}/T?sasl=plain&{ANNA}"),
        format!("{{SASL_CLEAR}}/T?sasl=scram-sha-256&{ANNA}"),
        format!("{{SASL_CLEAR}}/T?sasl=scram-sha-512&{ANNA}"),
    ];
    for way in ways {
        let url = url(&way).with_topic(unique("way-in"));
        assert!(create_topic(&url, 1, 1).unwrap(), "{way}");
        let facts = describe(&url).unwrap();
        assert!(facts.brokers.iter().all(|broker| broker.round_trip.is_ok()), "{way}: {:?}", facts.brokers);
        assert!(facts.offsets_trouble.is_none() && facts.config.is_ok(), "{way}");
        write_and_read(&url);
    }
}

/// Record `n`.
fn value(n: u64) -> Vec<u8> {
    format!("{n}: {}", "a vote ".repeat((n % 70) as usize)).into_bytes()
}

/// Appends the records `from..to` of a source, if there is one, and waits for every acknowledgement.
fn write(writer: &LogWriter, numbers: std::ops::Range<u64>, source: Option<SourceId>) {
    const RECORDS: u64 = 2_000;
    let (tell, told) = std::sync::mpsc::channel();
    let (mut from, mut batches) = (numbers.start, 0);
    while from < numbers.end {
        let mut builder = BatchBuilder::new(1 << 20);
        let to = (from + RECORDS).min(numbers.end);
        (from..to).for_each(|n| builder.push(Millis(n as i64), &value(n), None));
        let (batch, tell) = (builder.seal(source.map(|source| (source, to - 1))), tell.clone());
        writer
            .handle()
            .append_acked(PartitionId(0), batch, Box::new(move |ack| drop(tell.send(ack))))
            .unwrap();
        (from, batches) = (to, batches + 1);
    }
    writer.handle().flush().unwrap();
    drop(tell);
    let acks: Vec<_> = told.iter().map(Result::unwrap).collect();
    assert_eq!(acks.len(), batches);
    assert!(acks.windows(2).all(|two| two[0].end <= two[1].start), "in order: {acks:?}");
}

/// A few megabytes, so that frames are cut into many TLS records.
fn write_and_read(url: &KafkaUrl) {
    const RECORDS: u64 = 16_000;
    let writer = LogWriter::open_url(&LogUrl::Kafka(url.clone()), WriterOptions::default()).unwrap();
    write(&writer, 0..RECORDS, None);
    assert_eq!(writer.end_offsets(), [Offset(RECORDS)]);
    read_back(url, RECORDS);
}

/// All of `0..records` is there once and in order.
fn read_back(url: &KafkaUrl, records: u64) {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap();
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let (mut next, deadline) = (0, Instant::now() + PATIENCE);
    let end = log.refresh_ends().unwrap()[0];
    while reader.position() < end {
        assert!(Instant::now() < deadline, "read up to {next} only; trouble: {:?}", log.trouble());
        log.wait_past(&[reader.position()], Duration::from_secs(1)).unwrap();
        while let Some(batch) = reader.next_batch().unwrap() {
            if batch.is_skipped() {
                continue;
            }
            for record in batch.records() {
                assert_eq!(record.unwrap().value, Some(&value(next)[..]));
                next += 1;
            }
        }
    }
    assert_eq!(next, records);
}

#[test]
fn a_source_writes_in_transactions_and_goes_on() {
    let ways = [
        "{MTLS}/T?ca={CA}&cert={CLIENT_CERT}&key={CLIENT_KEY}".to_owned(),
        format!("{{SASL_TLS}}/T?ca={{CA}}&sasl=plain&{ANNA}"),
        format!("{{SASL_TLS}}/T?ca={{CA}}&sasl=scram-sha-512&{ANNA}"),
    ];
    for way in ways {
        let url = url(&way).with_topic(unique("source"));
        assert!(create_topic(&url, 1, 1).unwrap(), "{way}");
        let source = SourceId(7);
        for (numbers, last) in [(0..16_000, None), (16_000..40_000, Some(15_999))] {
            let writer = LogWriter::open_url(&LogUrl::Kafka(url.clone()), WriterOptions::default()).unwrap();
            assert_eq!(writer.resume(source).unwrap(), [last], "{way}");
            write(&writer, numbers, Some(source));
            writer.close().unwrap();
        }
        read_back(&url, 40_000);
    }
}

#[track_caller]
fn refused(url: &KafkaUrl, expect: &str, transient: impl Into<Option<bool>>) {
    let began = Instant::now();
    let error = describe(url).unwrap_err();
    assert!(began.elapsed() < PATIENCE, "{url}: {error} after {:?}", began.elapsed());
    let text = error.to_string();
    assert!(text.contains(expect), "{url}: {text}");
    assert!(text.contains("; "), "{url}: {text} does not say what to do");
    if let Some(transient) = transient.into() {
        assert_eq!(error.is_transient(), transient, "{url}: {text}");
    }
    for secret in ["PASSWORD_FILE", "WRONG_PASSWORD_FILE", "PASSWORD_FILE_WITHOUT_RIGHTS"] {
        let secret = std::fs::read_to_string(&secured()[secret]).unwrap();
        assert!(
            !format!("{text} {error:?} {url} {url:?}").contains(secret.trim()),
            "{url}: a password is shown"
        );
    }
}

#[test]
fn wrong_credentials_are_refused() {
    for sasl in ["plain", "scram-sha-256", "scram-sha-512"] {
        let way = format!(
            "{{SASL_TLS}}/t?ca={{CA}}&sasl={sasl}&user={{USER}}&password_file={{WRONG_PASSWORD_FILE}}"
        );
        refused(&url(&way), "as user \"anna\": it refuses user or password; check the user's name", false);
        let way = format!("{{SASL_CLEAR}}/t?sasl={sasl}&user=nobody&password_file={{PASSWORD_FILE}}");
        refused(&url(&way), "as user \"nobody\"", false);
    }
}

#[test]
fn certificates_that_do_not_hold_are_refused() {
    refused(&url("{TLS}/t?ca={OTHER_CA}"), "not signed by an authority that is trusted here; name", false);
    let mut elsewhere = url("{TLS}/t?ca={CA}");
    elsewhere.brokers = vec![elsewhere.brokers[0].replace("127.0.0.1", "localhost")];
    refused(&elsewhere, "its certificate is for another host name; use a name", false);
    refused(&url("{MTLS}/t?ca={CA}"), "it does not accept our certificate", false);
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is() {
    // The broker says so before it closes the connection, or just closes it.
    refused(&url("{TLS}/t"), "add tls=true", None);
    refused(&url(&format!("{{SASL_TLS}}/t?sasl=plain&{ANNA}")), "add tls=true", None);
    refused(&url("{PLAINTEXT}/t?ca={CA}"), "in the TLS handshake; if its listener has no TLS", true);
}

#[test]
fn sasl_where_there_is_none_and_none_where_there_is() {
    refused(&url("{SASL_CLEAR}/t"), "add sasl=plain", true);
    refused(&url("{SASL_TLS}/t?ca={CA}"), "add sasl=plain", true);
    let way = format!("{{PLAINTEXT}}/t?sasl=plain&{ANNA}");
    refused(&url(&way), "its listener does not ask who one is; leave out sasl=", false);
    let way = format!("{{TLS}}/t?ca={{CA}}&sasl=scram-sha-256&{ANNA}");
    refused(&url(&way), "its listener does not ask who one is; leave out sasl=", false);
}

#[test]
fn a_user_without_rights_is_told() {
    let bert = "user={USER_WITHOUT_RIGHTS}&password_file={PASSWORD_FILE_WITHOUT_RIGHTS}";
    let theirs = url(&format!("{{SASL_CLEAR}}/T?sasl=scram-sha-256&{ANNA}")).with_topic(unique("rights"));
    create_topic(&theirs, 1, 1).unwrap();
    let way = url(&format!("{{SASL_CLEAR}}/T?sasl=plain&{bert}"));
    let error = describe(&way.with_topic(&theirs.topic)).unwrap_err();
    assert!(error.to_string().contains("TOPIC_AUTHORIZATION_FAILED"), "{error}");
    let error = create_topic(&way.with_topic(unique("rights")), 1, 1).unwrap_err();
    assert!(matches!(error, LogError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("grant it"), "{error}");
}

#[test]
fn nothing_there_and_something_else_there() {
    refused(&KafkaUrl::new(["127.0.0.1:1"], "t"), "cannot reach the Kafka broker at \"127.0.0.1:1\"", true);
    refused(&KafkaUrl::new(["no-such-host.invalid:9092"], "t"), "its name is not known", true);
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = web.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in web.incoming().flatten() {
            let mut some = [0; 64];
            let _ = stream.read(&mut some);
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    refused(&KafkaUrl::new([place.clone()], "t"), "it speaks HTTP; check host and port", false);
    let ca = secured()["CA"].clone();
    let with_tls: KafkaUrl = format!("kafka://{place}/t?ca={ca}").parse().unwrap();
    refused(&with_tls, "it does not speak TLS", false);
}

#[test]
fn files_that_are_no_good_are_named() {
    let url = |options: &str| -> KafkaUrl { format!("kafka://127.0.0.1:1/t?{options}").parse().unwrap() };
    let (ca, key) = (secured()["CA"].clone(), secured()["CLIENT_KEY"].clone());
    refused(&url("ca=no-such-file"), "\"no-such-file\" cannot be read as certificates", false);
    refused(&url(&format!("ca={key}")), "holds no certificate", false);
    refused(&url(&format!("ca={ca}&cert={ca}&key={ca}")), "holds no private key", false);
    refused(&url(&format!("ca={ca}&cert={ca}&key={key}")), "do not go together", false);
    refused(&url("sasl=plain&user=anna&password_file=no-such-file"), "password file \"no-such-file\"", false);
}
