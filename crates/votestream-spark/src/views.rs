//! The views that an epoch makes on the server, and what they are called: exact ranges of a topic, what is kept of it (`kept`), rows that are
//! sent along. Each epoch replaces those of the one before.

use crate::error::SparkError;
use crate::line::Line;
use crate::plan::Topic;
use spark_connect::DataType;
use spark_connect::row::Row;
use votestream_election::epoch::Range;

/// The topic's ranges.
pub(crate) const TOPIC: &str = "topic";
/// Its records, judged as far as SQL goes: those of an epoch in one, of the epoch that is read ahead of it in the other.
pub(crate) const JUDGED: [&str; 2] = ["judged", "judged_next"];
/// Votes that were judged here.
pub(crate) const NATIVE: &str = "native";
/// The timeline's steps.
pub(crate) const STEPS: &str = "steps";
/// Each voter's vote: the earliest, or the latest of each step.
pub(crate) const VOTES: &str = "votes";
/// Those of them who are in files of voters.
pub(crate) const KNOWN: &str = "known";
/// Each voter's latest choice in files of voters.
pub(crate) const CHOSEN: &str = "chosen";
/// Choices, beside the one before.
pub(crate) const CHOICES: &str = "choices";

/// How Spark's consumers read: all of a range is there already, so nothing is gained by waiting for more, and a range may end in offsets that hold
/// no record; and thousands of records at a time.
const CONSUMING: [(&str, &str); 3] = [
    ("kafka.fetch.max.wait.ms", "20"),
    ("kafka.max.poll.records", "5000"),
    ("kafka.max.partition.fetch.bytes", "4194304"),
];

impl Line {
    /// A view of exactly these ranges of the topic.
    pub(crate) fn open_topic(&self, topic: &Topic, ranges: &[Range]) -> Result<(), SparkError> {
        let list = |of: &dyn Fn(&Range) -> String| ranges.iter().map(of).collect::<Vec<_>>().join(",");
        let name = &topic.name;
        let assign = format!("{{\"{name}\":[{}]}}", list(&|r| r.partition.to_string()));
        let from = format!("{{\"{name}\":{{{}}}}}", list(&|r| format!("\"{}\":{}", r.partition, r.from)));
        let to = format!("{{\"{name}\":{{{}}}}}", list(&|r| format!("\"{}\":{}", r.partition, r.to)));
        let options: Vec<(String, String)> =
            topic.options.iter().map(|(name, value)| (format!("kafka.{name}"), value.clone())).collect();
        self.call("opening the topic", move |spark| {
            let mut reader = spark.read().format("kafka");
            for (name, value) in &options {
                reader = reader.option(name, value);
            }
            for (name, value) in CONSUMING {
                reader = reader.option(name, value);
            }
            reader
                .option("kafka.isolation.level", "read_committed")
                .option("assign", &assign)
                .option("startingOffsets", &from)
                .option("endingOffsets", &to)
                .option("failOnDataLoss", "true")
                .option("includeHeaders", "true")
                .load(None)
                .create_or_replace_temp_view(TOPIC)
        })
    }

    /// A view of rows that are sent along.
    pub(crate) fn local(&self, view: &str, rows: Vec<Row>, schema: &'static str) -> Result<(), SparkError> {
        let view = view.to_owned();
        self.call("sending rows", move |spark| {
            spark.create_dataframe(rows, DataType::from_ddl(schema)?)?.create_or_replace_temp_view(&view)
        })
    }
}
