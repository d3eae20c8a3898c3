//! `GET /api/elections`: the elections of the store, for those who choose among them.

use crate::app::App;
use crate::limits::ELECTIONS_REMEMBERED;
use crate::params::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{RawQuery, State};
use http::{HeaderName, HeaderValue, header};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use votestream_election::results::elections::{ElectionEntry, Elections};
use votestream_election::results::{CountStatus, Results, millis_text};
use votestream_store::{ElectionHead, ReaderStore, StoreError};

/// The status of each election at the sequence it was worked out for, so that a list does not read every election again.
#[derive(Default)]
pub(crate) struct Listed(Mutex<HashMap<(String, i64), (u64, CountStatus)>>);

impl Listed {
    /// Sequence and status of an election.
    fn status(&self, reader: &ReaderStore, head: &ElectionHead) -> Result<(u64, CountStatus), StoreError> {
        let key = (head.id.clone(), head.created.0);
        let sequence = reader.sequence(&head.id)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(known) = known.filter(|(of, _)| *of == sequence) {
            return Ok(known);
        }
        let election = reader.election(Some(&head.id))?;
        let results = Results::of(&election, &reader.snapshot(&head.id)?);
        let found = (results.sequence, results.status);
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.len() >= ELECTIONS_REMEMBERED {
            listed.clear();
        }
        listed.insert(key, found);
        Ok(found)
    }
}

/// The elections that can be asked for. A server that shows several answers 400 where none is named: choose one from here.
#[utoipa::path(
    get, path = "/api/elections", tag = "results",
    responses(
        (status = 200, description = "the elections", body = Elections),
        (status = 503, description = "the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn elections(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Elections>), Problem> {
    Params::parse(query.as_deref(), &[])?;
    let listing = Arc::clone(&app);
    let elections = app.readers.read(move |reader| {
        let entry = |head: ElectionHead| {
            let (sequence, status) = listing.listed.status(reader, &head)?;
            Ok(ElectionEntry {
                id: head.id,
                name: head.name,
                date: head.date,
                created: millis_text(head.created),
                simulated: head.simulated,
                sequence,
                status,
            })
        };
        reader.elections()?.into_iter().map(entry).collect()
    });
    let list = Elections { elections: elections.await? };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], Json(list)))
}
