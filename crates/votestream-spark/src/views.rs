//! The views that an epoch makes on the server: exact ranges of a topic, what is kept of it, rows that are sent along; and letting go of them.

use crate::error::SparkError;
use crate::plan::Topic;
use crate::session::Session;
use spark_connect::DataType;
use spark_connect::row::Row;
use votestream_election::epoch::Range;

/// The names of an epoch's views.
pub(crate) struct Names {
    /// The topic's ranges.
    pub(crate) topic: String,
    /// Its records, judged as far as SQL goes.
    pub(crate) judged: String,
    /// Votes that were judged here.
    pub(crate) native: String,
    /// All valid votes that belong where they are.
    pub(crate) valid: String,
    /// The timeline's steps.
    pub(crate) steps: String,
    /// `valid` with its steps.
    pub(crate) stepped: String,
    /// Who is new, or chose anew.
    pub(crate) fresh: String,
}

impl Session {
    /// A view of exactly these ranges of the topic.
    pub(crate) fn open_topic(&self, topic: &Topic, ranges: &[Range], view: &str) -> Result<(), SparkError> {
        let list = |of: &dyn Fn(&Range) -> String| ranges.iter().map(of).collect::<Vec<_>>().join(",");
        let name = &topic.name;
        let assign = format!("{{\"{name}\":[{}]}}", list(&|r| r.partition.to_string()));
        let from = format!("{{\"{name}\":{{{}}}}}", list(&|r| format!("\"{}\":{}", r.partition, r.from)));
        let to = format!("{{\"{name}\":{{{}}}}}", list(&|r| format!("\"{}\":{}", r.partition, r.to)));
        let options: Vec<(String, String)> =
            topic.options.iter().map(|(name, value)| (format!("kafka.{name}"), value.clone())).collect();
        let view = view.to_owned();
        self.call("opening the topic", move |spark| {
            let mut reader = spark.read().format("kafka");
            for (name, value) in &options {
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
                .create_or_replace_temp_view(&view)
        })
    }

    /// Keeps a query's rows on the server, in memory or on its disks, as soon as they are asked for.
    pub(crate) fn cache(&self, view: &str, query: &str) -> Result<(), SparkError> {
        let sql = format!("CACHE LAZY TABLE {view} OPTIONS ('storageLevel' 'MEMORY_AND_DISK') AS {query}");
        self.run_sql("preparing a query", sql).map(drop)
    }

    /// A view of rows that are sent along.
    pub(crate) fn local(&self, view: &str, rows: Vec<Row>, schema: &'static str) -> Result<(), SparkError> {
        let view = view.to_owned();
        self.call("sending rows", move |spark| {
            spark.create_dataframe(rows, DataType::from_ddl(schema)?)?.create_or_replace_temp_view(&view)
        })
    }

    /// Lets go of what an epoch kept on the server.
    pub(crate) fn tidy(&self, names: &Names) -> Result<(), SparkError> {
        for view in [&names.fresh, &names.judged] {
            self.run_sql("letting go", format!("UNCACHE TABLE IF EXISTS {view}"))?;
        }
        for view in [
            &names.fresh,
            &names.stepped,
            &names.steps,
            &names.valid,
            &names.native,
            &names.judged,
            &names.topic,
        ] {
            self.run_sql("letting go", format!("DROP VIEW IF EXISTS {view}"))?;
        }
        Ok(())
    }
}

impl Names {
    pub(crate) fn new(number: u64) -> Self {
        let name = |what: &str| format!("{what}_{number}");
        Self {
            topic: name("topic"),
            judged: name("judged"),
            native: name("native"),
            valid: name("valid"),
            steps: name("steps"),
            stepped: name("stepped"),
            fresh: name("fresh"),
        }
    }
}
