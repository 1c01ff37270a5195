//! One thread owns a model and computes several requests together; others wait in a bounded queue before it.
//!
//! A full queue is answered at once with [`LmError::Busy`]. A receiver that goes away cancels its request,
//! before the next step if it runs; if it waits, its place is free at once. Prompts are made into tokens on the
//! thread that asks.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::constraint::{Constraint, Grammars};
use crate::scheduler::Output;
use crate::{ChatMessage, ChatTemplate, Form, Generation, LmError, Model, Prompt, Sampling, Shape, Tokenizer, model};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Request {
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// Sampling.
    pub sampling: Sampling,
    /// What the text must look like.
    pub form: Option<Form>,
    /// Texts in the messages, in their order there, that other requests may hold too, each at another place: their
    /// keys and values may be computed apart, where [`crate::Options::segment_bytes`] allows it.
    pub segments: Vec<String>,
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
    queue: Arc<Queue>,
    worker: Option<JoinHandle<()>>,
    tokenizer: Arc<Tokenizer>,
    template: Arc<ChatTemplate>,
    grammars: Arc<Grammars>,
    shape: Shape,
    window: usize,
    has_segments: bool,
}

struct Job {
    prompt: Prompt,
    sampling: Sampling,
    constraint: Option<Constraint>,
    asked: Instant,
    client: Client,
}

/// Who waits for a request.
struct Client {
    events: Sender<Event>,
    cancelled: Arc<AtomicBool>,
}

impl Client {
    fn has_left(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Requests that the model has not taken yet.
struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    /// Places.
    waiting: usize,
}

#[derive(Default)]
struct Jobs {
    line: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // Nothing panics while holding it, and a line is whole between any two operations.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), LmError> {
        let mut jobs = self.jobs();
        if jobs.closed {
            return Err(LmError::Stopped);
        }
        jobs.line.retain(|job| !job.client.has_left());
        if jobs.line.len() >= self.waiting {
            return Err(LmError::Busy { waiting: self.waiting });
        }
        jobs.line.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// The next request; `wait`s for one, or until the queue closes.
    fn pop(&self, wait: bool) -> Option<Job> {
        let mut jobs = self.jobs();
        while wait && jobs.line.is_empty() && !jobs.closed {
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        jobs.line.pop_front()
    }

    fn is_closed(&self) -> bool {
        self.jobs().closed
    }

    fn close(&self) {
        self.jobs().closed = true;
        self.changed.notify_one();
    }
}

impl Engine {
    /// Starts the thread; `waiting` requests may queue behind those that run.
    pub fn start(model: Model, waiting: usize) -> Result<Engine, LmError> {
        let (tokenizer, template, grammars) = (model.tokenizer(), model.template(), model.grammars());
        let (shape, window, has_segments) = (model.shape().clone(), model.window(), model.scheduler.has_segments());
        let queue = Arc::new(Queue { jobs: Mutex::default(), changed: Condvar::new(), waiting: waiting.max(1) });
        let theirs = queue.clone();
        let worker = std::thread::Builder::new().name("sectora-lm".into()).spawn(move || work(model, theirs));
        let worker = Some(worker.map_err(|_| LmError::Stopped)?);
        Ok(Engine { queue, worker, tokenizer, template, grammars, shape, window, has_segments })
    }

    /// Queues a request.
    pub fn submit(&self, request: Request) -> Result<Ticket, LmError> {
        let asked = Instant::now();
        request.sampling.check(self.shape.vocabulary)?;
        let prompt = model::prompt(&self.tokenizer, &self.template, &request.messages)?;
        if prompt.len() >= self.window {
            return Err(LmError::TooLong { tokens: prompt.len(), window: self.window });
        }
        let prompt = match self.has_segments {
            true => Prompt::marked(prompt, &self.tokenizer, &request.messages, &request.segments),
            false => Prompt::from(prompt),
        };
        let (events, receiver) = channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let client = Client { events, cancelled: cancelled.clone() };
        let constraint = request.form.map(|form| self.grammars.constraint(&form)).transpose()?;
        self.queue.push(Job { prompt, sampling: request.sampling, constraint, asked, client })?;
        Ok(Ticket { events: receiver, cancelled })
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
        self.queue.close();
        if let Some(worker) = self.worker.take() {
            // A panic in the worker was printed there; its requests saw their channel close.
            let _ = worker.join();
        }
    }
}

/// Closes the queue when the worker ends, also by a panic, so that nobody waits for it.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut jobs = self.0.jobs();
        jobs.closed = true;
        jobs.line.clear();
    }
}

fn work(mut model: Model, queue: Arc<Queue>) {
    let closing = Closing(queue);
    let queue = &closing.0;
    let scheduler = &mut model.scheduler;
    let mut clients: HashMap<u64, Client> = HashMap::new();
    loop {
        while scheduler.has_room() {
            let Some(Job { prompt, sampling, constraint, asked, client }) = queue.pop(scheduler.is_idle()) else {
                break;
            };
            match scheduler.add(prompt, &sampling, constraint, asked) {
                Ok(id) => drop(clients.insert(id, client)),
                // Fails only when the receiver has gone, and then nobody wants to know.
                Err(error) => drop(client.events.send(Event::Done(Err(error)))),
            }
        }
        let closed = queue.is_closed();
        if closed && scheduler.is_idle() {
            return;
        }
        let left: Vec<u64> = clients.iter().filter(|(_, c)| closed || c.has_left()).map(|(&id, _)| id).collect();
        let mut ended = Vec::new();
        let mut out = |id: u64, output: Output<'_>| {
            let Some(client) = clients.get(&id) else { return ControlFlow::Break(()) };
            let event = match output {
                Output::Text(text) => Event::Text(text.to_owned()),
                Output::Done(done) => {
                    ended.push(id);
                    Event::Done(done)
                }
            };
            match client.events.send(event) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        left.into_iter().for_each(|id| scheduler.cancel(id, &mut out));
        if !scheduler.is_idle() {
            scheduler.step(&mut out);
        }
        ended.into_iter().for_each(|id| drop(clients.remove(&id)));
    }
}
