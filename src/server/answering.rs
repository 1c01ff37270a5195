//! One answer being made: from an admitted question to a channel of steps.
//!
//! The answer is computed on a blocking thread and its steps come through a channel. Dropping the
//! [`Answering`] closes the channel, and that is how a client that left stops its generator, plain and
//! streaming alike: hyper drops the handler or the body, and with it the receiving end.

use std::ops::ControlFlow;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Server;
use super::errors::ApiError;
use super::wire;
use crate::answer::{Answer, Ask, Event};
use crate::app::App;

/// What happens while an answer is made.
pub(super) enum Step {
    /// The passages it will rest on.
    Passages(Vec<wire::Passage>),
    /// The next verified sentence with its citations.
    Sentence(String),
    /// The end.
    Done(Box<Answer>),
    /// The other end.
    Failed(ApiError),
}

/// The reader's end of an answer that is being made.
pub(super) struct Answering {
    steps: UnboundedReceiver<Step>,
    /// A step that was looked at before the response began.
    first: Option<Step>,
}

impl Answering {
    /// Queues the question, or refuses it at once when the line is full.
    pub(super) fn start(server: &Server, ask: Ask) -> Result<Answering, ApiError> {
        let ticket = server.answers.admit()?;
        let (server, app) = (server.clone(), server.app());
        // Unbounded, because one answer is a few sentences and a slow reader must not hold the model.
        let (sender, steps) = unbounded_channel();
        tokio::spawn(async move {
            let place = tokio::select! {
                place = ticket.place() => place,
                () = sender.closed() => return,
            };
            let steps = sender.clone();
            let worked = tokio::task::spawn_blocking(move || {
                let _place = place;
                work(&server, &app, &ask, &steps);
            });
            if let Err(died) = worked.await {
                tracing::error!(%died, "answering panicked");
                let _ = sender.send(Step::Failed(ApiError::internal()));
            }
        });
        Ok(Answering { steps, first: None })
    }

    /// Waits up to `patience` for the first step, so that a question that fails at once (empty index,
    /// engine out of reach) gets its status and not a stream.
    pub(super) async fn begun(&mut self, patience: Duration) -> Result<(), ApiError> {
        match tokio::time::timeout(patience, self.steps.recv()).await {
            Ok(Some(Step::Failed(error))) => Err(error),
            Ok(step) => {
                self.first = step;
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// The finished answer.
    pub(super) async fn finished(mut self) -> Result<Answer, ApiError> {
        loop {
            match self.steps.recv().await {
                Some(Step::Passages(_) | Step::Sentence(_)) => {}
                Some(Step::Done(answer)) => return Ok(*answer),
                Some(Step::Failed(error)) => return Err(error),
                None => return Err(ApiError::internal()),
            }
        }
    }

    /// The next step, `None` after the last.
    pub(super) fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Step>> {
        match self.first.take() {
            Some(step) => Poll::Ready(Some(step)),
            None => self.steps.poll_recv(context),
        }
    }
}

/// Computes the answer; on a blocking thread.
fn work(server: &Server, app: &App, ask: &Ask, steps: &UnboundedSender<Step>) {
    let mut hand_on = |event| {
        if server.stopping() || steps.is_closed() {
            return ControlFlow::Break(());
        }
        let step = match event {
            Event::Passages(found) => Step::Passages(wire::unnumbered(&found)),
            Event::Writing => return ControlFlow::Continue(()),
            Event::Sentence(text) => Step::Sentence(text),
        };
        match steps.send(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let outcome = app.answer(ask, &mut hand_on);
    let last = match outcome {
        Ok(answer) => Step::Done(Box::new(answer)),
        Err(error) => Step::Failed(error.into()),
    };
    // Nobody listens any more if the client has left.
    let _ = steps.send(last);
}
