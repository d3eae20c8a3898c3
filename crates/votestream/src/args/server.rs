//! What a person may type to guard a server, to have it tell others, and to watch one in the terminal.
#![expect(rustdoc::bare_urls, reason = "doc comments here are the help texts of a terminal")]

use super::ElectionArgs;
use clap::Args;
use std::path::PathBuf;
use votestream_server::limits::{WEBHOOK_REJECT_RATE, WEBHOOK_REJECT_WINDOW, WEBHOOK_STALE};

/// How a server is guarded.
#[derive(Clone, Debug, Default, Args)]
pub struct GuardArgs {
    /// Bearer token that POST /api/votes asks for; needed to listen beyond this machine. Better given as VOTESTREAM_INGEST_TOKEN
    #[arg(
        long,
        value_name = "TOKEN",
        env = "VOTESTREAM_INGEST_TOKEN",
        hide_env_values = true,
        help_heading = "Network"
    )]
    pub ingest_token: Option<String>,
    /// A file that holds the token, so that it is in no environment either
    #[arg(
        long,
        value_name = "FILE",
        env = "VOTESTREAM_INGEST_TOKEN_FILE",
        conflicts_with = "ingest_token",
        help_heading = "Network"
    )]
    pub ingest_token_file: Option<PathBuf>,
    /// Origin whose pages may read the API and embed the page, such as https://news.example; repeatable
    #[arg(
        long = "allow-origin",
        value_name = "ORIGIN",
        env = "VOTESTREAM_ALLOW_ORIGIN",
        value_delimiter = ',',
        help_heading = "Network"
    )]
    pub allow_origin: Vec<String>,
}

/// Who is told what happens.
#[derive(Clone, Debug, Args)]
pub struct WebhookArgs {
    /// Address that signed events are posted to: lead changes, decisions, completion, stale counts, many rejects; repeatable
    #[arg(
        long = "webhook",
        value_name = "URL",
        env = "VOTESTREAM_WEBHOOK",
        hide_env_values = true,
        value_delimiter = ',',
        help_heading = "Webhooks"
    )]
    pub webhook: Vec<String>,
    /// A file that holds the secret they are signed with, 16 to 256 characters; or give it as VOTESTREAM_WEBHOOK_SECRET
    #[arg(long, value_name = "FILE", env = "VOTESTREAM_WEBHOOK_SECRET_FILE", help_heading = "Webhooks")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Tell when more than this part of the records is rejected
    #[arg(
        long,
        value_name = "PART",
        default_value_t = WEBHOOK_REJECT_RATE,
        env = "VOTESTREAM_WEBHOOK_REJECT_RATE",
        help_heading = "Webhooks"
    )]
    pub webhook_reject_rate: f64,
    /// Records over which that part is taken, at least
    #[arg(
        long,
        value_name = "N",
        default_value_t = WEBHOOK_REJECT_WINDOW,
        env = "VOTESTREAM_WEBHOOK_REJECT_WINDOW",
        help_heading = "Webhooks"
    )]
    pub webhook_reject_window: u64,
    /// Tell when votes are awaited and nothing is committed for so long
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = WEBHOOK_STALE.as_secs(),
        env = "VOTESTREAM_WEBHOOK_STALE_SECONDS",
        help_heading = "Webhooks"
    )]
    pub webhook_stale_seconds: u64,
}

/// Watch in the terminal.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("watched").required(true).multiple(true).args(["store", "server"]))]
pub struct Top {
    /// The results to read: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: Option<String>,
    /// A running `up` or `serve` to follow instead, such as http://127.0.0.1:8501; it also says how long commits take
    #[arg(long, value_name = "URL", env = "VOTESTREAM_SERVER")]
    pub server: Option<String>,
    /// Draw without colours; NO_COLOR does the same
    #[arg(long)]
    pub no_color: bool,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}
