//! Several requests, one set of weights: who reads and writes what in the next step?
//!
//! A step is one pass through the weights (continuous batching, Yu et al. 2022, Orca), or two where prompts are multiplied
//! with instructions of their own (AMX) and others write beside them. Every sequence that writes brings its last token
//! and a draft; of those that still read their prompt one, or a few short ones, bring a piece of it, a small one while
//! others write (chunked prefill, Agrawal et al. 2023, <https://arxiv.org/abs/2308.16369>). Products with the weights are
//! batched, attention is each sequence's own.
//!
//! Memory: each sequence gets a cache for its prompt and the most it may write, out of a fixed number of
//! positions; one that does not fit waits its turn. What ended sequences leave is kept while there is
//! room, least recently used first out, and a prompt that begins like one of them, or like one that is
//! running, takes its keys and values over. Segments of prompts are computed once, in the room of the cache that asks
//! for them, kept in a budget of their own and put where they are wanted. Knows nothing of threads, queues or messages.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Instant;

use crate::cache::Cache;
use crate::constraint::Constraint;
use crate::decoder::{Decoder, Part};
use crate::prompt::{Apart, Prompt};
use crate::segments::Segments;
use crate::sequence::Sequence;
use crate::{Finish, Generation, LmError, Options, Sampling, Tokenizer};

/// Tokens of prompts read in one step while nobody writes; between two steps a request can be cancelled.
const READ_ALONE: usize = 256;
/// The same where prompts have instructions of their own, which take longer to begin and less for each token.
const READ_FAST: usize = 512;
/// The same while others write: they wait for it.
const READ_BESIDE: usize = 64;
/// Tokens of drafts in one step, over all sequences: beyond it a step costs noticeably more.
const DRAFTS: usize = 24;
/// A shared beginning shorter than this is read again sooner than it is copied.
const LEAST: usize = 64;
/// Positions for each sequence, if nothing else is asked for: a few thousand tokens of passages and an answer.
const POSITIONS: usize = 4096;
/// Caches have sizes in multiples of this, so that they can be used again.
const ROUND: usize = 256;

/// What may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Sequences that run together.
    pub(crate) sequences: usize,
    /// Positions of all caches together, in use and kept; at least a window.
    pub(crate) positions: usize,
    /// Longest draft.
    pub(crate) lookup: usize,
    /// Bytes of kept segments; without any, none is computed apart.
    pub(crate) segment_bytes: usize,
    /// Share of a segment that is read again in its place.
    pub(crate) segment_reread: f64,
}

impl Limits {
    pub(crate) fn of(options: &Options, window: usize) -> Limits {
        let sequences = options.sequences.max(1);
        let positions = match options.kv_positions {
            0 => window.max(sequences.saturating_mul(window.min(POSITIONS))),
            some => some.max(window),
        };
        let Options { lookup, segment_bytes, segment_reread, .. } = *options;
        Limits { sequences, positions, lookup, segment_bytes, segment_reread }
    }

    /// Rows of the largest step.
    pub(crate) fn rows(&self) -> usize {
        READ_FAST.max(READ_BESIDE + self.logits())
    }

    /// Rows of logits in the largest step.
    pub(crate) fn logits(&self) -> usize {
        self.sequences + if self.lookup == 0 { 0 } else { DRAFTS }
    }
}

/// What a step gives back.
pub(crate) enum Output<'a> {
    /// More text.
    Text(&'a str),
    /// The end.
    Done(Result<Generation, LmError>),
}

/// Receives outputs; `Break` cancels the sequence.
pub(crate) type Outputs<'a> = dyn FnMut(u64, Output<'_>) -> ControlFlow<()> + 'a;

/// Sequences that share a decoder.
pub(crate) struct Scheduler {
    decoder: Decoder,
    tokenizer: Arc<Tokenizer>,
    limits: Limits,
    waiting: VecDeque<Sequence>,
    /// In the order they were let in.
    running: Vec<Running>,
    /// The most recently used last.
    kept: Vec<Kept>,
    segments: Segments,
    /// The last rows of logits, where somebody wants to see them.
    watched: Option<Vec<f32>>,
    steps: usize,
    last_id: u64,
}

struct Running {
    sequence: Sequence,
    cache: Cache,
    capacity: usize,
    /// What it reads in this step, where to, and of how many tokens at the end it wants the logits.
    now: Vec<u32>,
    runs: Vec<Range<usize>>,
    wanted: usize,
    /// Another sequence is reading the same text for it.
    follows: bool,
}

/// What an ended sequence left.
struct Kept {
    /// Those that a prompt may continue.
    tokens: Vec<u32>,
    /// What of them was computed apart.
    apart: Apart,
    cache: Cache,
    capacity: usize,
}

impl Scheduler {
    pub(crate) fn new(decoder: Decoder, tokenizer: Arc<Tokenizer>, limits: Limits) -> Scheduler {
        let many = decoder.has_many();
        let limits = Limits {
            sequences: if many { limits.sequences.max(1) } else { 1 },
            positions: limits.positions.max(decoder.window()),
            lookup: if many { limits.lookup } else { 0 },
            segment_bytes: if many { limits.segment_bytes } else { 0 },
            segment_reread: limits.segment_reread,
        };
        let (waiting, running, kept) = (VecDeque::new(), Vec::new(), Vec::new());
        let segments = Segments::new(limits.segment_bytes);
        Scheduler { decoder, tokenizer, limits, waiting, running, kept, segments, watched: None, steps: 0, last_id: 0 }
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// See [`crate::Model::set_lookup`].
    pub(crate) fn set_lookup(&mut self, most: usize) {
        self.limits.lookup = if self.decoder.has_many() { most } else { 0 };
    }

    /// See [`crate::Model::set_segments`].
    pub(crate) fn set_segments(&mut self, bytes: usize, reread: f64) {
        self.limits.segment_bytes = if self.decoder.has_many() { bytes } else { 0 };
        self.limits.segment_reread = reread;
        self.forget();
    }

    /// True when segments are computed apart.
    pub(crate) fn has_segments(&self) -> bool {
        self.limits.segment_bytes > 0
    }

    /// From now on the logits of the last step that had any are kept, or no longer; gives the last.
    pub(crate) fn watch(&mut self, on: bool) -> Vec<f32> {
        std::mem::replace(&mut self.watched, on.then(Vec::new)).unwrap_or_default()
    }

    /// True when another sequence could run beside those that are here.
    pub(crate) fn has_room(&self) -> bool {
        self.running.len() + self.waiting.len() < self.limits.sequences
    }

    /// True when there is nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Forgets what ended sequences left, but for the memory it was in.
    pub(crate) fn forget(&mut self) {
        for kept in &mut self.kept {
            (kept.tokens, kept.apart) = (Vec::new(), Apart::default());
        }
        self.segments = Segments::new(self.limits.segment_bytes);
        if !self.decoder.has_many() && self.running.is_empty() {
            self.kept.clear();
            self.decoder.clear();
        }
    }

    /// Takes a request that was asked at `begin`; gives its number.
    pub(crate) fn add(
        &mut self,
        prompt: Prompt,
        sampling: &Sampling,
        constraint: Option<Constraint>,
        begin: Instant,
    ) -> Result<u64, LmError> {
        let vocabulary = self.decoder.shape().vocabulary;
        sampling.check(vocabulary)?;
        // Found in a step, it would be the end of every request in it.
        if let Some(id) = prompt.tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(LmError::Tokenizer(format!("token {id} is outside the model's vocabulary of {vocabulary}")));
        }
        self.last_id += 1;
        let frame = (self.decoder.window(), self.limits.lookup, begin);
        let apart = match self.decoder.position_bytes().filter(|_| self.has_segments()) {
            Some(position) => prompt.apart(self.limits.segment_reread, self.limits.segment_bytes / position / 16 * 16),
            None => Apart::default(),
        };
        let prompt = (prompt, apart);
        self.waiting.push_back(Sequence::new(self.last_id, prompt, sampling, constraint, frame)?);
        Ok(self.last_id)
    }

    /// Ends a sequence now; its end goes to `out`.
    pub(crate) fn cancel(&mut self, id: u64, out: &mut Outputs<'_>) {
        if let Some(at) = self.waiting.iter().position(|sequence| sequence.id == id) {
            if let Some(sequence) = self.waiting.remove(at) {
                let generation = sequence.finish(Finish::Cancelled, &mut |_| ControlFlow::Break(()));
                let _ = out(id, Output::Done(Ok(generation)));
            }
        } else if let Some(at) = self.running.iter().position(|running| running.sequence.id == id) {
            self.end(at, Ok(Finish::Cancelled), out);
        }
    }

    /// Those that write write on, and some of those that read their prompt read on.
    pub(crate) fn step(&mut self, out: &mut Outputs<'_>) {
        while self.admit() {}
        self.follow();
        self.place();
        self.plan();
        self.steps += 1;
        let mut parts = Vec::new();
        for running in self.running.iter_mut().filter(|running| !running.now.is_empty()) {
            let Running { sequence, cache, now, runs, wanted, .. } = running;
            parts.push(Part { cache, tokens: now, writes: !sequence.is_reading(), runs, wanted: *wanted });
        }
        if parts.is_empty() {
            return;
        }
        let logits = match self.decoder.read(&mut parts) {
            Ok(logits) => logits,
            Err(error) => return self.fail(&error.to_string(), out),
        };
        if let Some(watched) = self.watched.as_mut().filter(|_| !logits.is_empty()) {
            watched.clone_from(&logits);
        }
        let vocabulary = self.decoder.shape().vocabulary;
        let mut rest = logits.as_slice();
        let mut ended = Vec::new();
        for (at, Running { sequence, cache, now, wanted, .. }) in self.running.iter_mut().enumerate() {
            if now.is_empty() {
                continue;
            }
            let (rows, later) = rest.split_at(std::mem::take(wanted) * vocabulary);
            rest = later;
            let id = sequence.id;
            let read = std::mem::take(now);
            if sequence.next_piece().is_some() {
                sequence.advance_apart(read.len());
                self.decoder.hold(cache, sequence.seen().len());
                continue;
            }
            let mut sink = |text: &str| out(id, Output::Text(text));
            match sequence.advance(&read, (rows, vocabulary), &self.tokenizer, &mut sink) {
                Ok(None) => {}
                Ok(Some(finish)) => ended.push((at, Ok(finish))),
                Err(error) => ended.push((at, Err(error))),
            }
            // Without what a draft got wrong, and with pieces that were there already.
            self.decoder.hold(cache, sequence.seen().len());
        }
        self.keep_segments();
        for (at, finish) in ended.into_iter().rev() {
            self.end(at, finish, out);
        }
    }

    /// Lets the first that waits begin, if there is room.
    fn admit(&mut self) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let need = first.positions().next_multiple_of(ROUND).min(self.decoder.window());
        let used: usize = self.running.iter().map(|running| running.capacity).sum();
        if self.running.len() >= self.limits.sequences || used + need > self.limits.positions {
            return false;
        }
        let Some(mut sequence) = self.waiting.pop_front() else { return false };
        let (cache, capacity, held) = self.cache_for(&sequence, need, used);
        sequence.reuse(held);
        let (now, runs) = (Vec::new(), Vec::new());
        self.running.push(Running { sequence, cache, capacity, now, runs, wanted: 0, follows: false });
        true
    }

    /// A cache with room for `need` positions, its room, and how many tokens of the prompt it holds already;
    /// running sequences use `used`.
    fn cache_for(&mut self, sequence: &Sequence, need: usize, used: usize) -> (Cache, usize, usize) {
        if !self.decoder.has_many() {
            return match self.kept.pop() {
                Some(kept) if sequence.reusable().starts_with(&kept.tokens) => (kept.cache, need, kept.tokens.len()),
                _ => (self.decoder.cache(need), need, 0),
            };
        }
        let alike = self.decoder.reads_as_it_writes();
        // Pieces that are to be computed would be read into the place of what follows the context.
        let usable = |held: usize| {
            let known = |(context, tokens): (&[u32], &[u32])| self.segments.contains(context, tokens);
            if sequence.pieces_beyond(held).all(known) { held } else { held.min(sequence.apart().context) }
        };
        let best = |all: &mut dyn Iterator<Item = (&[u32], &Apart)>| -> (usize, usize) {
            let shared = all.enumerate().map(|(at, (tokens, apart))| (usable(sequence.shared(tokens, apart)), at));
            shared.max().unwrap_or((0, 0))
        };
        let (held, at) = best(&mut self.kept.iter().map(|kept| (kept.tokens.as_slice(), &kept.apart)));
        let beside = self.running.iter().map(|running| (running.sequence.lasting(alike), running.sequence.apart()));
        let (beside, runner) = best(&mut { beside });
        if beside >= LEAST && beside > held {
            let (mut cache, capacity) = self.fresh(need, used);
            Decoder::copy(&mut cache, &self.running[runner].cache, beside);
            return (cache, capacity, beside);
        }
        if held == 0 {
            let (cache, capacity) = self.fresh(need, used);
            return (cache, capacity, 0);
        }
        let Kept { tokens, apart, mut cache, capacity } = self.kept.remove(at);
        if tokens.len() >= held + LEAST && used + need + capacity <= self.limits.positions {
            // What it holds beyond the shared beginning may be asked for again: both are kept.
            let (mut copy, room) = self.fresh(need, used + capacity);
            if held >= LEAST {
                Decoder::copy(&mut copy, &cache, held);
            }
            self.kept.push(Kept { tokens, apart, cache, capacity });
            return (copy, room, if held >= LEAST { held } else { 0 });
        }
        self.decoder.cut(&mut cache, held);
        let room = if capacity < need || used + capacity > self.limits.positions { need } else { capacity };
        self.make_room(used + room);
        self.decoder.resize(&mut cache, room);
        (cache, room, held)
    }

    fn fresh(&mut self, need: usize, used: usize) -> (Cache, usize) {
        // Memory that is there already is quicker than new memory.
        if let Some(at) = self.kept.iter().position(|kept| kept.tokens.is_empty() && kept.capacity == need) {
            let mut cache = self.kept.remove(at).cache;
            self.decoder.cut(&mut cache, 0);
            return (cache, need);
        }
        while self.kept_positions() + used + need > self.limits.positions {
            let Kept { mut cache, capacity, .. } = self.kept.remove(0);
            if capacity == need {
                self.decoder.cut(&mut cache, 0);
                return (cache, need);
            }
        }
        (self.decoder.cache(need), need)
    }

    fn make_room(&mut self, used: usize) {
        while self.kept_positions() + used > self.limits.positions && !self.kept.is_empty() {
            self.kept.remove(0);
        }
    }

    fn kept_positions(&self) -> usize {
        self.kept.iter().map(|kept| kept.capacity).sum()
    }

    /// A sequence whose prompt begins like that of an earlier one waits until that one has read the shared
    /// part, and copies it.
    fn follow(&mut self) {
        let alike = self.decoder.reads_as_it_writes();
        for at in 0..self.running.len() {
            let (earlier, later) = self.running.split_at_mut(at);
            let Some(running) = later.first_mut() else { return };
            running.follows = false;
            if !running.sequence.is_reading() {
                continue;
            }
            let mine = &running.sequence;
            let best = earlier.iter().map(|Running { sequence, cache, .. }| {
                let shared = mine.shared(sequence.known(alike), sequence.apart());
                // What comes after the context is placed, not copied.
                (
                    if mine.apart().pieces.is_empty() { shared } else { shared.min(mine.apart().context) },
                    sequence,
                    cache,
                )
            });
            let Some((shared, sequence, cache)) = best.max_by_key(|(shared, ..)| *shared) else { continue };
            if shared < running.sequence.seen().len() + LEAST {
                continue;
            }
            if sequence.seen().len() >= shared {
                Decoder::copy(&mut running.cache, cache, shared);
                running.sequence.reuse(shared);
            } else {
                running.follows = true;
            }
        }
    }

    /// Puts segments that are known where sequences want them. A sequence waits for one that an earlier sequence
    /// is computing.
    fn place(&mut self) {
        for at in 0..self.running.len() {
            let (earlier, later) = self.running.split_at_mut(at);
            let Some(Running { sequence, cache, follows, .. }) = later.first_mut() else { return };
            while let Some((piece, (context, tokens))) = sequence.next_piece().zip(sequence.next_key()) {
                let Some(segment) = self.segments.find(context, tokens) else { break };
                let by = piece.range.start - context.len();
                self.decoder.place(cache, segment, piece.given.start, by);
                sequence.placed(true);
                self.decoder.hold(cache, sequence.seen().len());
            }
            let wanted = sequence.next_key();
            *follows |= wanted.is_some() && earlier.iter().any(|other| other.sequence.next_key() == wanted);
        }
    }

    /// Keeps, and puts where they are wanted, segments that were computed in this step.
    fn keep_segments(&mut self) {
        let Some(position) = self.decoder.position_bytes() else { return };
        for Running { sequence, cache, .. } in &mut self.running {
            let Some((read, piece)) = sequence.piece_read().zip(sequence.next_piece()) else { continue };
            let Some((context, tokens)) = sequence.next_key() else { continue };
            let (at, by) = (piece.given.start, piece.range.start - context.len());
            let bytes = read.len().next_multiple_of(16) * position;
            self.segments.make_room(bytes);
            let segment = self.decoder.take(cache, read);
            self.decoder.place(cache, &segment, at, by);
            self.segments.insert(context, tokens, segment, bytes);
            sequence.placed(false);
            self.decoder.hold(cache, sequence.seen().len());
        }
    }

    /// Gives every sequence what it reads in this step.
    fn plan(&mut self) {
        let writing = self.running.iter().filter(|running| !running.sequence.is_reading()).count();
        for Running { sequence, now, runs, wanted, .. } in &mut self.running {
            (*now, *wanted) = (Vec::new(), 0);
            if !sequence.is_reading() {
                *now = sequence.write(DRAFTS / writing);
                *wanted = now.len();
                let run = sequence.seen().len()..sequence.seen().len() + now.len();
                *runs = vec![run];
            }
        }
        let mut room = match (writing, self.decoder.reads_as_it_writes()) {
            (0, true) => READ_ALONE,
            (0, false) => READ_FAST,
            _ => READ_BESIDE,
        };
        while room > 0 {
            let reads =
                |running: &&mut Running| running.sequence.is_reading() && running.now.is_empty() && !running.follows;
            let mut readers = self.running.iter_mut().filter(reads);
            // The shortest first, so that it does not stand behind a long one; each third time the one that
            // is here longest, so that short ones that keep coming do not starve it.
            let next = match self.steps % 3 {
                0 => readers.next(),
                _ => readers.min_by_key(|running| running.sequence.unread()),
            };
            let Some(running) = next else { break };
            (running.now, running.runs, running.wanted) = running.sequence.read(room);
            room -= running.now.len();
        }
    }

    fn end(&mut self, at: usize, finish: Result<Finish, LmError>, out: &mut Outputs<'_>) {
        let Running { sequence, mut cache, capacity, .. } = self.running.remove(at);
        let id = sequence.id;
        let (tokens, apart) = (sequence.lasting(self.decoder.reads_as_it_writes()).to_vec(), sequence.apart().clone());
        // What this one continues is contained in it.
        self.kept.retain(|kept| !tokens.starts_with(&kept.tokens) || apart.departs(&kept.apart) < kept.tokens.len());
        if !tokens.is_empty() && self.decoder.cut(&mut cache, tokens.len()) == tokens.len() {
            self.kept.push(Kept { tokens, apart, cache, capacity });
        }
        let done = finish.map(|finish| sequence.finish(finish, &mut |text| out(id, Output::Text(text))));
        // It has ended already: nothing is left to cancel.
        let _ = out(id, Output::Done(done));
    }

    /// A step failed: so did everything that took part in it.
    fn fail(&mut self, what: &str, out: &mut Outputs<'_>) {
        let (failed, others) = std::mem::take(&mut self.running).into_iter().partition(|r| !r.now.is_empty());
        self.running = others;
        for Running { sequence, .. } in failed {
            let error = LmError::Compute(candle_core::Error::Msg(what.to_owned()));
            let _ = out(sequence.id, Output::Done(Err(error)));
        }
        if !self.decoder.has_many() {
            self.decoder.clear();
        }
    }
}

#[cfg(test)]
mod tests;
