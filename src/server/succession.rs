//! Another encoder without downtime: the server takes over the store that `sectora index reembed` has built beside its own.
//!
//! A thread looks for such a store every other second. It opens the encoder, completes the store, makes the catalogue name
//! it and hands it to the requests that come from then on; those under way end with the old one, which is then removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Server;

/// Between two looks, as parts of [`STEP`], so that the server stops promptly.
const STEPS: u32 = 20;
const STEP: Duration = Duration::from_millis(100);

/// Ends the watch when it is dropped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Begins to watch. Not waited for at the end: a store that is half completed is completed by whoever comes next.
pub(super) fn watch(server: Server) -> Watch {
    let stop = Arc::new(AtomicBool::new(false));
    let watch = Watch { stop: Arc::clone(&stop) };
    std::thread::spawn(move || {
        while !stop.load(Ordering::SeqCst) {
            succeed(&server, &stop);
            pause(&stop);
        }
    });
    watch
}

fn succeed(server: &Server, stop: &AtomicBool) {
    let new = match server.app().successor(stop) {
        Ok(None) => return,
        Ok(Some(new)) => Arc::new(new),
        Err(error) => {
            tracing::error!(%error, "the store built beside this one could not be taken over");
            return;
        }
    };
    let encoder = new.embedder().map_or("none", |e| e.id()).to_owned();
    let old = std::mem::replace(&mut *server.app.write().unwrap_or_else(PoisonError::into_inner), Arc::clone(&new));
    tracing::info!(%encoder, "answering from the new store");
    while Arc::strong_count(&old) > 1 && !stop.load(Ordering::SeqCst) {
        pause(stop);
    }
    drop(old);
    if let Err(error) = new.sweep() {
        tracing::error!(%error, "the old store could not be removed; the next start will try again");
    }
}

fn pause(stop: &AtomicBool) {
    for _ in 0..STEPS {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        std::thread::sleep(STEP);
    }
}
