//! A bounded line in front of blocking work: so many at once, so many waiting, the rest refused now.
//!
//! Async handlers never compute. They take a [`Ticket`] (or a 429 at once), wait for a [`Place`] and
//! hand it to the blocking thread, so that a place is free again only when the work has really ended,
//! also where its client has long left.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::errors::ApiError;

/// So many places to work, so many to wait.
#[derive(Clone)]
pub(super) struct Line {
    places: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    waiting: usize,
}

/// The right to wait for a place.
pub(super) struct Ticket {
    places: Arc<Semaphore>,
    admitted: OwnedSemaphorePermit,
}

/// The right to work; dropping it lets the next one in.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Line {
    /// `at_once` (at least 1) work while up to `waiting` wait.
    pub(super) fn new(at_once: usize, waiting: usize) -> Line {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = waiting.min(Semaphore::MAX_PERMITS / 2);
        Line {
            places: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + waiting)),
            waiting,
        }
    }

    /// A ticket now, or 429 with `Retry-After` now.
    pub(super) fn admit(&self) -> Result<Ticket, ApiError> {
        match Arc::clone(&self.admitted).try_acquire_owned() {
            Ok(admitted) => Ok(Ticket { places: Arc::clone(&self.places), admitted }),
            Err(_) => Err(ApiError::busy(format!("{} requests are waiting already", self.waiting))),
        }
    }
}

impl Ticket {
    /// Waits for a place, first come first served.
    pub(super) async fn place(self) -> Place {
        let place = self.places.acquire_owned().await.expect("nobody closes this semaphore");
        Place { _place: place, _admitted: self.admitted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_after_the_last_waiting_place_is_refused_and_a_freed_place_is_taken_up() {
        let line = Line::new(1, 1);
        let first = line.admit().unwrap().place().await;
        let second = line.admit().unwrap();
        assert!(line.admit().is_err());
        drop(first);
        let second = second.place().await;
        let third = line.admit().unwrap();
        assert!(line.admit().is_err());
        drop(second);
        third.place().await;
    }

    #[tokio::test]
    async fn leaving_the_line_lets_another_in() {
        let line = Line::new(1, 1);
        let _working = line.admit().unwrap().place().await;
        let waiting = line.admit().unwrap();
        assert!(line.admit().is_err());
        drop(waiting);
        assert!(line.admit().is_ok());
    }
}
