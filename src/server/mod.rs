//! The HTTP door: OpenAI's protocol, our own, and the page.
//!
//! In: an [`App`] and an address. Out: responses; every sentence of an answer has passed `answer`.
//! One file a protocol holds its routes and wire types; they share the `Server` state. Handlers only
//! translate: all computing goes through `work::Line` to blocking threads, so many at once, so many
//! waiting, the rest refused. Knows nothing of stores, models or prompts, and prints nothing.
//!
//! What it does not do: accounts and keys. Everybody who can reach it may read every public document,
//! which is why it binds the loopback address unless told otherwise.

mod answering;
mod body;
mod errors;
mod extract;
mod guard;
mod native;
mod openai;
mod page;
mod portfolio;
mod release;
mod signals;
mod succession;
mod wire;
mod work;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::error::{Classified, ErrorKind};
use errors::ApiError;
use guard::{FreshIds, Hosts, fresh_id};
use signals::Signals;
use work::Line;

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Address or name to bind.
    pub host: String,
    /// Port; 0: any free one.
    pub port: u16,
    /// Answers made at the same time.
    pub concurrency: usize,
    /// Answers that may wait; more are refused with 429.
    pub queue: usize,
    /// What running answers get to finish after a request to stop.
    pub grace: Duration,
}

/// What can go wrong with the server itself.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error(
        "cannot listen at {host}:{port}: {source}. Choose another with --host and --port (--port 0 takes any free one)"
    )]
    Bind {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// Cause.
        source: std::io::Error,
    },
    /// The system refused something later.
    #[error("the server failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Classified for ServerError {
    fn kind(&self) -> ErrorKind {
        match self {
            ServerError::Bind { .. } => ErrorKind::BadInput,
            ServerError::Io(_) => ErrorKind::Internal,
        }
    }
}

/// Serves until SIGTERM or Ctrl-C, then lets running answers finish within `options.grace`; a second
/// signal ends at once. `listening` hears the bound address.
pub async fn serve(
    app: Arc<App>,
    options: ServeOptions,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServerError> {
    let bind = |source| ServerError::Bind { host: options.host.clone(), port: options.port, source };
    let listener = TcpListener::bind((options.host.as_str(), options.port)).await.map_err(bind)?;
    let address = listener.local_addr()?;
    let server = Server::new(app, &options);
    let stop = Arc::clone(&server.stop);
    let mut signals = Signals::catch()?;
    let successions = succession::watch(server.clone());
    listening(address);

    let (close, closed) = oneshot::channel::<()>();
    let serving = axum::serve(listener, routes(server, Hosts::of(address))).with_graceful_shutdown(async {
        // A dropped sender means that the deadline below is gone, and the server with it.
        let _ = closed.await;
    });
    let deadline = async {
        signals.next().await;
        tracing::info!(grace_s = options.grace.as_secs(), "stopping: running answers may finish");
        let _ = close.send(());
        tokio::select! {
            () = tokio::time::sleep(options.grace) => {}
            () = signals.next() => {}
        }
    };
    let ended = tokio::select! {
        served = serving.into_future() => served,
        () = deadline => Ok(()),
    };
    // Whatever still computes stops at its next sentence.
    stop.store(true, Ordering::Relaxed);
    drop(successions);
    Ok(ended?)
}

/// The whole service without a socket, as `serve` runs it on a loopback address.
pub fn router(app: Arc<App>, options: &ServeOptions) -> Router {
    routes(Server::new(app, options), Hosts::Loopback)
}

/// What handlers share.
#[derive(Clone)]
struct Server {
    /// Replaced when the index gets another encoder; a request keeps the one it began with.
    app: Arc<RwLock<Arc<App>>>,
    /// The line for answers: few at once, each takes seconds.
    answers: Line,
    /// The line for everything that takes milliseconds; answers and analyses do not hold it up.
    lookups: Line,
    /// The line for what takes seconds without a generator: the portfolio, the text of a file, vectors. A processor is
    /// left for look-ups.
    analyses: Line,
    stop: Arc<AtomicBool>,
    /// Seconds since 1970.
    started: u64,
}

impl Server {
    fn new(app: Arc<App>, options: &ServeOptions) -> Server {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Server {
            app: Arc::new(RwLock::new(app)),
            answers: Line::new(options.concurrency, options.queue),
            lookups: Line::new(processors, options.queue.saturating_mul(4).max(processors)),
            analyses: Line::new(processors - 1, options.queue.max(processors)),
            stop: Arc::default(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        }
    }

    /// The app that answers now.
    fn app(&self) -> Arc<App> {
        // Whoever panicked while holding it has only stored or cloned a pointer.
        Arc::clone(&self.app.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// True once the time of grace is over.
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs a quick look-up on a blocking thread.
    async fn lookup<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        in_turn(&self.lookups, self.app(), work).await
    }

    /// Runs what may take seconds.
    async fn analysis<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        in_turn(&self.analyses, self.app(), work).await
    }

    /// Runs what the generator takes part in.
    async fn written<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        in_turn(&self.answers, self.app(), work).await
    }
}

/// Runs `work` on a blocking thread when its turn in `line` comes, with the app that the request began with.
async fn in_turn<T: Send + 'static>(
    line: &Line,
    app: Arc<App>,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let place = line.admit()?.place().await;
    let worked = tokio::task::spawn_blocking(move || {
        let _place = place;
        work(&app)
    });
    worked.await.unwrap_or_else(|died| {
        tracing::error!(%died, "a request's work panicked");
        Err(ApiError::internal())
    })
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sectora",
        description = "Cited answers from an industry's own R&D documents. OpenAI's clients work by changing their \
                       base address to `/v1`; the field `sectora` of a response holds citations, passages and whether \
                       the documents answer at all. Offsets are characters of a document's extracted text."
    ),
    tags(
        (name = "openai", description = "OpenAI's protocol"),
        (name = "sectora", description = "Search, documents, the sector"),
        (name = "portfolio", description = "Overlap, strengths, matching, consolidation"),
        (name = "release", description = "What may be shown, and why"),
        (name = "health", description = "For whoever watches the process"),
    )
)]
struct Api;

fn routes(server: Server, hosts: Hosts) -> Router {
    let (api, description) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(openai::routes())
        .merge(native::routes())
        .merge(portfolio::routes())
        .merge(extract::routes())
        .merge(release::routes())
        .split_for_parts();
    api.merge(page::routes())
        .merge(portfolio::page())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", description))
        .fallback(errors::unknown_route)
        .method_not_allowed_fallback(errors::wrong_method)
        .with_state(server)
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(from_fn_with_state(hosts, guard::check_host))
        .layer(CatchPanicLayer::custom(errors::panicked))
        .layer(from_fn(guard::secure))
        .layer(TraceLayer::new_for_http().make_span_with(guard::span).on_response(guard::log))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(FreshIds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn app(data: &tempfile::TempDir) -> Arc<App> {
        let flags = vec![
            ("data_dir", data.path().display().to_string()),
            ("encoder", "none".to_owned()),
            ("generator", "extractive".to_owned()),
            ("offline", "true".to_owned()),
        ];
        Arc::new(App::open(Config::load(None, &flags).unwrap().0).unwrap())
    }

    #[tokio::test]
    async fn a_request_keeps_the_app_that_it_began_with_while_it_waits() {
        let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host = "127.0.0.1".to_owned();
        let options = ServeOptions { host, port: 0, concurrency: 1, queue: 1, grace: Duration::ZERO };
        let server = Server::new(app(&before), &options);
        let working = server.answers.admit().unwrap().place().await;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { server.written(|app| Ok(app.index_folder())).await }
        });
        tokio::task::yield_now().await;
        *server.app.write().unwrap() = app(&after);
        drop(working);
        assert!(waiting.await.unwrap().unwrap().starts_with(before.path()));
        assert!(server.written(|app| Ok(app.index_folder())).await.unwrap().starts_with(after.path()));
    }
}
