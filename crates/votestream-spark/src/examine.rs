//! What `doctor` asks of a Spark server: that it is there, of a version that is spoken to, has a Kafka source that reaches the topic, and can
//! write to the seen directory.

use crate::answer::Finding;
use crate::error::SparkError;
use crate::knock::knock;
use crate::plan::{Attempt, Limits, Topic};
use crate::remote::Remote;
use crate::session::Session;
use crate::sql::text;
use crate::voters::below;

/// Whether a server answers; nothing is asked of it.
pub fn answers(remote: &Remote, limits: Limits) -> Finding {
    found("remote", knock(remote, limits).map(|()| format!("{remote} answers")))
}

/// Looks at a server from the outside in; what lies behind a fault is not looked at. `attempt` names the directory that is tried.
pub fn examine(
    remote: &Remote,
    limits: Limits,
    topic: Option<&Topic>,
    directory: Option<(&str, Attempt)>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let session = match Session::open(remote, limits) {
        Ok(session) => session,
        Err(error) => {
            let what = if matches!(error, SparkError::Version { .. }) { "version" } else { "remote" };
            return vec![Finding { what, fine: false, says: error.to_string() }];
        }
    };
    findings.push(Finding { what: "remote", fine: true, says: format!("{remote} answers") });
    findings.push(found("version", session.line.version().map(|version| format!("Spark {version}"))));
    if let Some(topic) = topic {
        findings.push(found("connector", session.try_topic(topic)));
    }
    if let Some((directory, attempt)) = directory {
        findings.push(found("seen directory", session.try_directory(directory, attempt)));
    }
    findings
}

fn found(what: &'static str, result: Result<String, SparkError>) -> Finding {
    match result {
        Ok(says) => Finding { what, fine: true, says },
        Err(error) => Finding { what, fine: false, says: error.to_string() },
    }
}

impl Session {
    /// Spark's Kafka source finds the topic from where Spark's driver runs, and executors read a record of it, if there is one.
    fn try_topic(&self, topic: &Topic) -> Result<String, SparkError> {
        self.line
            .call("looking at the topic", {
                let topic = topic.clone();
                move |spark| {
                    let mut reader = spark.read().format("kafka").option("subscribe", &topic.name);
                    for (name, value) in &topic.options {
                        reader = reader.option(&format!("kafka.{name}"), value);
                    }
                    reader
                        .option("startingOffsets", "earliest")
                        .load(None)
                        .select_expr(vec!["offset"])
                        .limit(1)
                        .count()
                }
            })
            .map(|_| format!("Spark reads the topic '{}'", topic.name))
    }

    /// What is written there is read back, and emptied again.
    fn try_directory(&self, directory: &str, attempt: Attempt) -> Result<String, SparkError> {
        let path = text(&below(directory, &format!("doctor/{attempt}")));
        let write = |which: &str| {
            format!(
                "INSERT OVERWRITE DIRECTORY {path} USING parquet SELECT /*+ COALESCE(1) */ id FROM range(3){which}"
            )
        };
        let tried = self.line.run_sql("trying the seen directory", write("")).and_then(|_| {
            let read =
                format!("SELECT count(*) FROM parquet.`{}`", below(directory, &format!("doctor/{attempt}")));
            let rows = self.line.run_sql("trying the seen directory", read)?;
            self.line.run_sql("trying the seen directory", write(" WHERE false"))?;
            Ok(rows)
        });
        let rows = tried.map_err(|error| error.in_directory(directory))?;
        match rows.first().map(|row| crate::rows::count(row, 0)) {
            Some(Ok(3)) => Ok(format!("Spark writes to '{directory}' and reads it")),
            _ => Err(SparkError::Directory {
                directory: directory.to_owned(),
                says: "what was written there did not come back: every machine of the cluster must see the same directory".to_owned(),
            }),
        }
    }
}
