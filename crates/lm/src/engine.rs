//! One thread owns a model; requests wait in a bounded queue before it.
//!
//! A full queue is answered at once with [`LmError::Busy`]. A receiver that goes away cancels its
//! request, whether it runs or waits.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use crate::{ChatMessage, Generation, LmError, Model, Sampling, Shape, Tokenizer};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Request {
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// Sampling.
    pub sampling: Sampling,
}

/// What a request gives back, in this order: text any number of times, then one end.
#[derive(Debug)]
pub enum Event {
    /// More text.
    Text(String),
    /// It ended.
    Done(Result<Generation, LmError>),
}

/// A request under way. Dropping it cancels.
#[derive(Debug)]
pub struct Ticket {
    events: Receiver<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// Waits for the next event; nothing after the end.
    pub fn next(&self) -> Option<Event> {
        self.events.recv().ok()
    }

    /// Asks the model to stop; the end still comes.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A model on its own thread.
pub struct Engine {
    queue: Option<SyncSender<Job>>,
    waiting: usize,
    worker: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    tokenizer: Arc<Tokenizer>,
    shape: Shape,
    window: usize,
}

struct Job {
    request: Request,
    events: Sender<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Engine {
    /// Starts the thread; `waiting` requests may queue behind the one that runs.
    pub fn start(model: Model, waiting: usize) -> Result<Engine, LmError> {
        let (tokenizer, shape, window) = (model.tokenizer(), model.shape().clone(), model.window());
        let (queue, jobs) = sync_channel(waiting);
        let closing = Arc::new(AtomicBool::new(false));
        let stop = closing.clone();
        let worker = std::thread::Builder::new().name("sectora-lm".into()).spawn(move || work(model, &jobs, &stop));
        let worker = worker.map_err(|_| LmError::Stopped)?;
        Ok(Engine { queue: Some(queue), waiting, worker: Some(worker), closing, tokenizer, shape, window })
    }

    /// Queues a request.
    pub fn submit(&self, request: Request) -> Result<Ticket, LmError> {
        let (events, receiver) = channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let job = Job { request, events, cancelled: cancelled.clone() };
        let queue = self.queue.as_ref().ok_or(LmError::Stopped)?;
        match queue.try_send(job) {
            Ok(()) => Ok(Ticket { events: receiver, cancelled }),
            Err(TrySendError::Full(_)) => Err(LmError::Busy { waiting: self.waiting }),
            Err(TrySendError::Disconnected(_)) => Err(LmError::Stopped),
        }
    }

    /// Queues a request and hands its text to `sink` until it ends; `Break` cancels it.
    pub fn run(&self, request: Request, sink: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Generation, LmError> {
        let ticket = self.submit(request)?;
        let mut wanted = true;
        while let Some(event) = ticket.next() {
            match event {
                Event::Text(text) if wanted => {
                    if sink(&text).is_break() {
                        wanted = false;
                        ticket.cancel();
                    }
                }
                Event::Text(_) => {}
                Event::Done(Ok(generation)) if !wanted => {
                    return Ok(Generation { finish: crate::Finish::Cancelled, ..generation });
                }
                Event::Done(result) => return result,
            }
        }
        Err(LmError::Stopped)
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The model's sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Most tokens of prompt and answer together.
    pub fn window(&self) -> usize {
        self.window
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.queue = None;
        if let Some(worker) = self.worker.take() {
            // A panic in the worker was printed there; its requests saw their channel close.
            let _ = worker.join();
        }
    }
}

fn work(mut model: Model, jobs: &Receiver<Job>, closing: &AtomicBool) {
    while let Ok(Job { request, events, cancelled }) = jobs.recv() {
        let cancelled = || cancelled.load(Ordering::Relaxed) || closing.load(Ordering::Relaxed);
        let mut send = |text: &str| match events.send(Event::Text(text.to_owned())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let prompt = model.prompt(&request.messages);
        let result = prompt.and_then(|prompt| model.generate(&prompt, &request.sampling, &cancelled, &mut send));
        // Fails only when the receiver has gone, and then nobody wants to know.
        let _ = events.send(Event::Done(result));
    }
}
