//! Rows that are kept on the server from one query to the next, and let go of. The client can have rows kept and never has them let go, so that
//! a server would hold those of every epoch until its session ended: these commands go over a connection of their own to the same session.

use crate::error::SparkError;
use crate::line::{Line, in_a_thread};
use crate::session::Session;
use spark_connect_core::{ChannelBuilder, SparkConnectClient, block_on};
use spark_connect_proto as proto;
use spark_connect_proto::command::CommandType;
use spark_connect_proto::execute_plan_response::ResponseType;
use spark_connect_proto::read::ReadType;
use spark_connect_proto::relation::RelType;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

/// Another connection to a session.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<SparkConnectClient>);

/// Rows that the server keeps under a name of its own, and the view of them.
pub(crate) struct Kept {
    view: &'static str,
    rows: proto::CachedRemoteRelation,
}

/// Says when what was let go of last is gone, for whoever needs the name of its view.
#[derive(Clone, Default)]
pub(crate) struct LettingGo(Arc<Mutex<Option<Receiver<()>>>>);

impl Keeper {
    /// For the session that this URL names; connected once it is needed.
    pub(crate) fn new(url: &str) -> spark_connect::Result<Self> {
        let builder = ChannelBuilder::parse(url)?;
        Ok(Self(Arc::new(block_on(SparkConnectClient::connect(&builder))?)))
    }

    /// Runs a query and keeps its rows, in memory or on the server's disks, as a view that knows nothing of how they came about: a query
    /// of it is planned in no time, where one of a cached table has all of the first query analysed again.
    fn keep(&self, query: String, view: &'static str) -> spark_connect::Result<Kept> {
        let checkpoint = proto::CheckpointCommand {
            relation: Some(sql(query)),
            local: true,
            eager: true,
            storage_level: None,
        };
        let answers = self.run(CommandType::CheckpointCommand(checkpoint))?;
        let rows = answers.into_iter().find_map(|answer| match answer.response_type {
            Some(ResponseType::CheckpointCommandResult(result)) => result.relation,
            _ => None,
        });
        let rows = rows.ok_or_else(|| {
            spark_connect::SparkError::connect_msg("the server does not say under which name it keeps rows")
        })?;
        self.view(view, RelType::CachedRemoteRelation(rows.clone()))?;
        Ok(Kept { view, rows })
    }

    /// Makes a view of Parquet files of these columns, or says that one of them is missing.
    pub(crate) fn open_files(
        &self,
        view: &str,
        schema: &str,
        paths: Vec<String>,
    ) -> spark_connect::Result<()> {
        let files = proto::read::DataSource {
            format: Some("parquet".to_owned()),
            schema: Some(schema.to_owned()),
            paths,
            ..Default::default()
        };
        let read = proto::Read { read_type: Some(ReadType::DataSource(files)), ..Default::default() };
        self.view(view, RelType::Read(read))
    }

    fn view(&self, view: &str, of: RelType) -> spark_connect::Result<()> {
        let command = proto::CreateDataFrameViewCommand {
            input: Some(relation(of)),
            name: view.to_owned(),
            is_global: false,
            replace: true,
        };
        self.run(CommandType::CreateDataframeView(command)).map(drop)
    }

    pub(crate) fn drop_view(&self, view: &str) -> spark_connect::Result<()> {
        let input = Some(sql(format!("DROP VIEW IF EXISTS {view}")));
        self.run(CommandType::SqlCommand(proto::SqlCommand { input, ..Default::default() })).map(drop)
    }

    /// Has the server forget rows and their view. Their room is free once its garbage collector has been there.
    fn let_go(&self, kept: Kept) -> spark_connect::Result<()> {
        self.drop_view(kept.view)?;
        let remove = proto::RemoveCachedRemoteRelationCommand { relation: Some(kept.rows) };
        self.run(CommandType::RemoveCachedRemoteRelationCommand(remove)).map(drop)
    }

    /// Runs a command to its end.
    fn run(&self, command: CommandType) -> spark_connect::Result<Vec<proto::ExecutePlanResponse>> {
        let command = proto::Command { command_type: Some(command) };
        let plan = proto::Plan { op_type: Some(proto::plan::OpType::Command(command)) };
        let request = proto::ExecutePlanRequest {
            session_id: self.0.session_id().to_owned(),
            user_context: Some(proto::UserContext::default()),
            plan: Some(plan),
            ..Default::default()
        };
        block_on(async {
            let mut stream = self.0.execute_plan_reattachable(request).await?;
            let mut answers = Vec::new();
            while let Some(answer) = stream.message().await? {
                answers.push(answer);
            }
            Ok(answers)
        })
    }
}

fn sql(query: String) -> proto::Relation {
    relation(RelType::Sql(proto::Sql { query, ..Default::default() }))
}

fn relation(what: RelType) -> proto::Relation {
    proto::Relation { rel_type: Some(what), ..proto::Relation::default() }
}

impl Line {
    /// Runs a query and keeps its rows as a view.
    pub(crate) fn keep(
        &self,
        doing: &'static str,
        view: &'static str,
        query: String,
    ) -> Result<Kept, SparkError> {
        {
            // Held while waiting: whoever comes meanwhile waits as well.
            let mut letting_go = self.letting_go.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(done) = letting_go.take() {
                // The view may be one that is about to be dropped. Whether it could be is of no interest.
                self.call("letting go", move |_| {
                    let _ = done.recv();
                    Ok(())
                })?;
            }
        }
        tracing::trace!(doing, query, "asking Spark");
        let keeper = self.keeper.clone();
        self.call(doing, move |_| keeper.keep(query, view))
    }

    /// Lets go of rows, while others go on. A server that cannot be told so loses nothing: it lets go of them some time after the session has ended.
    pub(crate) fn let_go(&self, kept: Vec<Kept>) {
        if kept.is_empty() {
            return;
        }
        let mut letting_go = self.letting_go.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (keeper, before) = (self.keeper.clone(), letting_go.take());
        *letting_go = Some(in_a_thread(move || {
            if let Some(before) = before {
                let _ = before.recv();
            }
            if let Err(error) = kept.into_iter().try_for_each(|one| keeper.let_go(one)) {
                tracing::debug!(error = error.message(), "rows of an epoch stay on the Spark server for now");
            }
        }));
    }
}

impl Session {
    /// Runs a query and keeps its rows as a view, until all that is kept is let go of.
    pub(crate) fn keep(
        &mut self,
        doing: &'static str,
        view: &'static str,
        query: String,
    ) -> Result<(), SparkError> {
        self.kept.push(self.line.keep(doing, view, query)?);
        Ok(())
    }

    /// Lets go of all that is kept.
    pub(crate) fn let_go(&mut self) {
        self.line.let_go(std::mem::take(&mut self.kept));
    }
}
