use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{Context, Failure, Outcome};
use crate::server::{self, ServeOptions};

#[derive(Args)]
pub(super) struct Arguments {
    /// Address to bind (default 127.0.0.1: this machine only)
    #[arg(long)]
    host: Option<String>,
    /// Port; 0 takes any free one
    #[arg(long)]
    port: Option<u16>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    log(context.output.is_quiet());
    let app = Arc::new(context.open()?);
    let settings = &context.config.server;
    let options = ServeOptions {
        host: arguments.host.unwrap_or_else(|| settings.host.clone()),
        port: arguments.port.unwrap_or(settings.port),
        concurrency: settings.concurrency,
        queue: settings.queue,
        grace: Duration::from_secs(settings.grace_s),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::internal(format!("cannot start the server's threads: {e}")))?;
    let output = context.output.clone();
    let listening = move |address: std::net::SocketAddr| {
        let url = format!("http://{address}");
        output.result(&serde_json::json!({ "listening": url }), |_| {
            format!("Sectora listens at {url}  (page: {url}/ , API: {url}/docs ; Ctrl-C stops)")
        });
    };
    let served = runtime.block_on(server::serve(app, options, listening));
    // What still computes after the time of grace is not waited for.
    runtime.shutdown_background();
    served?;
    Ok(Outcome::Yes)
}

/// One line a request on stderr, and what failed; with `--quiet` only what failed.
fn log(quiet: bool) {
    let filter = EnvFilter::new(if quiet { "error" } else { "error,sectora=info" });
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where a log is set up already, that one is used.
    let _ = subscriber.with_ansi(std::io::stderr().is_terminal()).try_init();
}
