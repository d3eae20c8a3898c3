//! The reading half of the API: one route a file. What an answer says is decided in `votestream_election`; here it is looked up,
//! named by its state, and sent.

pub(crate) mod results;

pub(crate) mod elections;

pub(crate) mod regions;

pub(crate) mod demographics;

pub(crate) mod timeline;

pub(crate) mod ledger;

pub(crate) mod rejects;

pub(crate) mod engine;

pub(crate) mod desk;

pub(crate) mod photos;

pub(crate) mod export;

use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::respond::Answer;
use crate::view::View;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;
use tracing::error;
use votestream_election::results::Results;
use votestream_election::{Minute, RegionIx};

/// Answers from what is kept, else from what `make` makes of this state of the store.
async fn kept<F, M>(
    app: &App,
    view: &View,
    asked: &str,
    headers: &HeaderMap,
    make: F,
) -> Result<Response, Problem>
where
    F: FnOnce() -> M,
    M: Future<Output = Result<Answer, Problem>>,
{
    let asked = format!("{}\n{asked}", view.election_id());
    if let Some(answer) = app.answers.get(&asked, &view.tag) {
        return Ok(answer.respond(headers));
    }
    let answer = Arc::new(make().await?);
    app.answers.keep(&asked, &answer);
    Ok(answer.respond(headers))
}

/// JSON of a value, true of a state of the store.
fn json(tag: &str, value: &impl Serialize) -> Result<Answer, Problem> {
    Answer::json(tag, value).map_err(|failed| {
        error!(error = &failed as &dyn std::error::Error, "cannot encode an answer");
        Problem::internal()
    })
}

/// The newest snapshot of the election that a request names.
async fn newest(app: &App, params: &Params) -> Result<Arc<View>, Problem> {
    app.feeds.newest(params.text("election")).await
}

/// The results at the end of a past minute, as far as they are public now.
async fn past(app: &App, view: &View, minute: Minute) -> Result<Results, Problem> {
    let id = view.election_id().to_owned();
    let election = Arc::clone(&view.election);
    app.readers.read(move |reader| Ok(Results::of(&election, &reader.snapshot_at(&id, minute)?))).await
}

/// The place of a public region in the definition. Whether one is unknown or withheld is not told apart.
fn public_region(view: &View, code: &str) -> Result<RegionIx, Problem> {
    let public = view.results.regions.iter().find(|region| region.code.eq_ignore_ascii_case(code.trim()));
    let place =
        public.and_then(|public| view.election.regions.iter().position(|region| region.code == public.code));
    let missing = || {
        let mut problem = Problem::not_found(format!("there is no public region \"{code}\""));
        problem.parameter = Some("region".into());
        problem.allowed = Some("a code that /api/regions lists".into());
        problem
    };
    place.map(|place| RegionIx(place as u16)).ok_or_else(missing)
}
