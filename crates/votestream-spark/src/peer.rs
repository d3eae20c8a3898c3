//! Spark's own Structured Streaming over the same topic, which `bench spark` measures beside our epochs: `dropDuplicates`, `groupBy`, and the
//! counts into a topic. A reference for speed and for nothing else: it promises no voter's first vote, and judges nothing.

use crate::error::SparkError;
use crate::plan::Topic;
use crate::rows;
use crate::session::Session;
use crate::sql::text;
use spark_connect::functions::expr;
use spark_connect::{DataFrame, SparkSession, Trigger};
use votestream_election::Election;

/// How long a look at a running query waits, in seconds.
const LOOK_S: f64 = 1.0;

impl Session {
    /// Counts all of `topic` per region and candidate into the topic `sink`, with its state and checkpoint below `directory`, which must be new.
    /// Returns how many votes it counted. `None`: the mapping has no region, or fields that are not at the top.
    pub fn stream(
        &self,
        election: &Election,
        topic: &Topic,
        sink: &str,
        directory: &str,
    ) -> Result<Option<u64>, SparkError> {
        let mapping = &election.mapping;
        let fields = [Some(&mapping.voter), mapping.region.as_ref(), mapping.candidate.first()];
        let names: Option<Vec<String>> = fields
            .into_iter()
            .map(|path| path.filter(|path| path.0.len() == 1).map(|path| format!("`{}`", path.0[0])))
            .collect();
        let Some(names) = names else { return Ok(None) };
        let (topic, sink, directory) = (topic.clone(), sink.to_owned(), directory.to_owned());
        let rows = self.line.call("counting with Structured Streaming", move |spark| {
            let query = counts(spark, &topic, &names)
                .write_stream()
                .format("kafka")
                .options(options(&topic))
                .option("topic", &sink)
                .option("checkpointLocation", &directory)
                .output_mode("update")
                .trigger(Trigger::AvailableNow)
                .start("")?;
            while query.await_termination(Some(LOOK_S))? != Some(true) {}
            let written = spark.read().format("kafka").options(options(&topic)).option("subscribe", &sink);
            // Counts only grow: the largest is the last.
            written
                .load(None)
                .select_expr(vec!["key", "CAST(CAST(value AS STRING) AS BIGINT) AS votes"])
                .group_by(vec!["key"])
                .agg(vec![expr("max(votes) AS votes").expression().clone()])
                .agg(vec![expr("coalesce(sum(votes), 0L)").expression().clone()])
                .collect()
        })?;
        let none = || SparkError::Inconsistent { says: "a sum came without a row".to_owned() };
        rows::count(rows.first().ok_or_else(none)?, 0).map(Some)
    }
}

fn options(topic: &Topic) -> std::collections::HashMap<String, String> {
    topic.options.iter().map(|(name, value)| (format!("kafka.{name}"), value.clone())).collect()
}

/// The counts, as records of Kafka. `inline` has the JSON read once a record, where a column of it would be read once a field.
fn counts(spark: &SparkSession, topic: &Topic, names: &[String]) -> DataFrame {
    let schema: Vec<String> = names.iter().map(|name| format!("{name} STRING")).collect();
    let parsed = format!("inline(array(from_json(CAST(value AS STRING), {})))", text(&schema.join(", ")));
    let read = spark.read_stream().format("kafka").options(options(topic)).option("subscribe", &topic.name);
    let votes = read.option("startingOffsets", "earliest").load(None).select_expr(vec![&parsed]);
    let once = votes.drop_duplicates(Some(vec![names[0].trim_matches('`')]));
    let [region, candidate] = [&names[1], &names[2]];
    let counted = once
        .select_expr(vec![&format!("concat({region}, '|', {candidate}) AS key")])
        .group_by(vec!["key"])
        .agg(vec![expr("count(1) AS votes").expression().clone()]);
    counted.select_expr(vec!["key", "CAST(votes AS STRING) AS value"])
}
