//! `POST /api/votes`: every non-blank record of the body goes into the log, valid or not, and is answered once durable.
//! The whole body is read and framed before the first record is appended, so that a 4xx means that nothing was.
//! Whether a record is a vote is for the count to judge.

pub(crate) mod framing;

mod append;

pub(crate) mod receipts;

use crate::app::App;
use crate::limits;
use crate::problem::Problem;
use crate::respond::accepts;
use crate::seams::Ingest;
use append::{Failure, Place};
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use framing::{Form, Framed};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use receipts::{Claim, Claimed, Receipt};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;
use utoipa::ToSchema;

/// What became of one record of a POST.
#[derive(ToSchema)]
#[expect(dead_code, clippy::struct_field_names, reason = "describes the JSON that `outcomes` writes by hand")]
struct Outcome {
    /// Always `accepted`: the record is durable in the log.
    outcome: String,
    /// The partition that it is in.
    partition: u32,
    /// Its offset there.
    offset: u64,
    /// `true` where the line was longer than 65,536 bytes: only its start is kept, and it counts as one `too_large`. Else absent.
    too_large: Option<bool>,
}

/// The bounds that all POSTs share.
pub(crate) struct Intake {
    posts: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    receipts: Arc<receipts::Receipts>,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self {
            posts: Arc::new(Semaphore::new(limits::POSTS_MAX)),
            bodies: Arc::new(Semaphore::new(limits::BODIES_BYTES_MAX)),
            receipts: receipts::Receipts::new(),
        }
    }
}

/// What is held of the shared bounds while a request is served.
struct Held {
    _post: OwnedSemaphorePermit,
    _body: Option<OwnedSemaphorePermit>,
}

/// Votes into the log: every non-blank line, or element of a JSON array, is a record, valid or not.
///
/// Answered once all of them are durable, one outcome a record, in their order: NDJSON, or a JSON array where the body was one or
/// Accept asks for it. `accepted` says that the record is in the log; whether it is a vote is told by the count.
#[utoipa::path(
    post, path = "/api/votes", tag = "votes",
    params(("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 characters; the same key with the same body is answered again and appended once, until the server restarts")),
    request_body(description = "one JSON object a line, or a JSON array of them; at most 8 MiB and 100,000 records unless configured",
                 content((String = "application/x-ndjson"), (Vec<Object> = "application/json"))),
    security((), ("token" = [])),
    responses(
        (status = 202, description = "all records are durable; one outcome a record",
         content((String = "application/x-ndjson"), (Vec<Outcome> = "application/json"))),
        (status = 400, description = "no record in the body, or a broken JSON array; nothing was appended", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "the token is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "a page of another site, and no token is configured", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "no such form of answer; nothing was appended", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "the body was too slow; nothing was appended", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the first request with this Idempotency-Key is not done", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "too many bytes or records; nothing was appended", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "a compressed body; nothing was appended", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "the Idempotency-Key was used for another body", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many requests at once; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no log, or it does not take votes now; see Retry-After and appended", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_votes(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    app.authorize_post(&parts.headers)?;
    let Some(ingest) = app.ingest.clone() else {
        let detail = "this server takes no votes: it was started without a log to write to";
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-intake",
            "no votes are taken here",
            detail,
        ));
    };
    let asked = form_asked(&parts.headers)?;
    let key = receipts::key_of(&parts.headers)?;
    let Ok(post) = Arc::clone(&app.intake.posts).try_acquire_owned() else {
        let detail = format!("{} requests with votes are being served, which is the most", limits::POSTS_MAX);
        let problem =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "too many requests at once", detail);
        return Err(problem.retry_after(limits::RETRY_AFTER_S));
    };
    let (body, permit) = read(&app, &parts.headers, body).await?;
    let framed = framing::frame(&parts.headers, &body)?;
    let claimed = match key.map(|key| app.intake.receipts.claim(&key, &body)).transpose()? {
        Some(Claim::Answered(receipt)) => return Ok(accepted(receipt)),
        Some(Claim::New(claimed)) => Some(claimed),
        None => None,
    };
    let form = asked.unwrap_or(framed.form);
    let records = framed.records.len();
    let until = Instant::now() + limits::ACK_TIME_MAX;
    let job = Job { ingest, body, framed, form, claimed, until, held: Held { _post: post, _body: permit } };
    // A task of its own: a client that goes away does not stop half of its votes, nor lose the answer kept for its key.
    let done = tokio::task::spawn_blocking({
        let app = Arc::clone(&app);
        move || job.run(&app)
    });
    match tokio::time::timeout(limits::POST_TIME_MAX, done).await {
        Err(_) => {
            let why = "it could not be opened, or did not answer, in time";
            error!(why, "the log refused posted votes");
            Err(not_taken(why, 0, records))
        }
        Ok(Ok(answer)) => answer.map(accepted),
        Ok(Err(failed)) => {
            error!(error = &failed as &dyn std::error::Error, "a POST failed");
            Err(Problem::internal())
        }
    }
}

/// One framed request on its way into the log.
struct Job {
    ingest: Ingest,
    body: Bytes,
    framed: Framed,
    form: Form,
    claimed: Option<Claimed>,
    /// When waiting for the log ends.
    until: Instant,
    held: Held,
}

impl Job {
    /// Appends, waits, and writes the answer. Blocks.
    fn run(self, app: &App) -> Result<Receipt, Problem> {
        let now = (app.clock)();
        let result = append::append(&self.ingest, &self.body, &self.framed.records, (now, self.until));
        drop(self.held);
        match result {
            Ok(places) => {
                app.counters.posted(places.len() as u64);
                let receipt = outcomes(&places, self.form);
                if let Some(claimed) = self.claimed {
                    claimed.settle(receipt.clone());
                }
                Ok(receipt)
            }
            Err(Failure { why, appended }) => {
                app.counters.posted(appended);
                error!(why, appended, "the log refused posted votes");
                Err(not_taken(&why, appended, self.framed.records.len()))
            }
        }
    }
}

/// The log takes no votes now. Those that it had been given may still come to be in it.
fn not_taken(why: &str, appended: u64, records: usize) -> Problem {
    let detail = format!(
        "the log does not take votes now ({why}); {appended} of {records} records are known to be durable; \
         sending them again is safe where a voter's first vote counts"
    );
    Problem::unavailable("log", detail).with_appended(appended)
}

/// Reads a whole body within the bounds.
async fn read(
    app: &App,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let most = app.config.body_bytes_max;
    let too_large = || {
        let detail =
            format!("the body may have {most} bytes; send the votes in several; nothing was appended");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large", detail)
    };
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "the body must not be compressed; send it as it is";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", "compressed body", detail));
    }
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let broken = |error: axum::Error| {
                let detail = format!("the body ended early: {error}; nothing was appended");
                Problem::new(StatusCode::BAD_REQUEST, "body", "the body is broken", detail)
            };
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if whole.len() + data.len() > most {
                return Err(too_large());
            }
            let Ok(permit) = Arc::clone(&app.intake.bodies).try_acquire_many_owned(data.len() as u32) else {
                let detail =
                    "the server is reading as many votes at once as it can hold; nothing was appended";
                return Err(Problem::unavailable("busy", detail));
            };
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
            whole.extend_from_slice(&data);
        }
        Ok(())
    };
    let Ok(read) = tokio::time::timeout(limits::BODY_TIME_MAX, reading).await else {
        let detail = format!(
            "the body did not arrive within {} s; nothing was appended",
            limits::BODY_TIME_MAX.as_secs()
        );
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body is too slow", detail));
    };
    read?;
    Ok((whole.freeze(), held))
}

/// The form of answer that `Accept` asks for; `None`: as the request was.
fn form_asked(headers: &HeaderMap) -> Result<Option<Form>, Problem> {
    if !headers.contains_key(header::ACCEPT)
        || accepts(headers, &header::ACCEPT, |kind| matches!(kind, "*/*" | "application/*"))
    {
        let explicit = |name: &str| accepts(headers, &header::ACCEPT, |kind| kind == name);
        return Ok(match (explicit("application/x-ndjson"), explicit("application/json")) {
            (true, false) => Some(Form::Lines),
            (false, true) => Some(Form::Array),
            _ => None,
        });
    }
    if accepts(headers, &header::ACCEPT, |kind| kind == "application/json") {
        return Ok(Some(Form::Array));
    }
    if accepts(headers, &header::ACCEPT, |kind| kind == "application/x-ndjson") {
        return Ok(Some(Form::Lines));
    }
    let detail = "the outcomes can be had as application/x-ndjson or application/json; nothing was appended";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "accept", "no such form of answer", detail))
}

/// One outcome a record, in the records' order.
fn outcomes(places: &[Place], form: Form) -> Receipt {
    let mut text = String::with_capacity(places.len() * 56 + 2);
    let (open, between, close) = match form {
        Form::Lines => ("", "\n", "\n"),
        Form::Array => ("[", ",", "]"),
    };
    text.push_str(open);
    for (number, place) in places.iter().enumerate() {
        if number > 0 {
            text.push_str(between);
        }
        let too_large = if place.too_large { ",\"too_large\":true" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{{\"outcome\":\"accepted\",\"partition\":{},\"offset\":{}{too_large}}}",
            place.partition, place.offset
        );
    }
    text.push_str(close);
    let mime = if form == Form::Lines { "application/x-ndjson" } else { "application/json" };
    Receipt { mime, body: Bytes::from(text) }
}

fn accepted(receipt: Receipt) -> Response {
    let mut response = (StatusCode::ACCEPTED, receipt.body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(receipt.mime));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
