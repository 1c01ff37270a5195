//! One request on its way: what it has read, what it reads next, what it has written.
//!
//! In: rows of logits for the tokens it was given to read. Out: text, and the tokens to read next. It knows
//! nothing of other requests and holds no cache; [`crate::scheduler`] lends it one.

use std::ops::{ControlFlow, Range};
use std::time::Instant;

use crate::constraint::Constraint;
use crate::lookup::{Reach, draft};
use crate::prompt::{Apart, Piece, Prompt};
use crate::sampler::{Drawn, only};
use crate::text_stream::TextStream;
use crate::{Finish, Generation, LmError, Sampler, Sampling, TokenLogprob, Tokenizer};

/// A request's state.
pub(crate) struct Sequence {
    pub(crate) id: u64,
    prompt: Vec<u32>,
    /// What of it is computed apart.
    apart: Apart,
    /// Of its pieces those that are not in the cache yet; the last is the next.
    pending: Range<usize>,
    /// Tokens of the next piece that were read after the context.
    read_apart: usize,
    /// How far the prompt is in the cache when what is being read is.
    reaching: usize,
    /// New tokens at most.
    most: usize,
    /// The tokens whose keys and values are in the cache.
    seen: Vec<u32>,
    /// The token drawn last, which is not in the cache yet.
    next: Option<u32>,
    /// What is read beside it, on trial.
    drafted: Vec<u32>,
    reach: Reach,
    sampler: Sampler,
    constraint: Option<Constraint>,
    /// What the constraint leaves of a row of logits.
    scores: Vec<f32>,
    text: TextStream,
    begin: Instant,
    /// When its last token was drawn.
    last: Option<Instant>,
    generation: Generation,
}

impl Sequence {
    /// `begin` is when it was asked, `lookup` the longest draft; refuses a prompt that leaves no room.
    pub(crate) fn new(
        id: u64,
        (Prompt { tokens: prompt, .. }, apart): (Prompt, Apart),
        sampling: &Sampling,
        constraint: Option<Constraint>,
        (window, lookup, begin): (usize, usize, Instant),
    ) -> Result<Sequence, LmError> {
        if prompt.is_empty() || prompt.len() >= window {
            return Err(LmError::TooLong { tokens: prompt.len(), window });
        }
        Ok(Sequence {
            id,
            most: sampling.max_tokens.min(window - prompt.len()),
            pending: 0..apart.pieces.len(),
            apart,
            read_apart: 0,
            reaching: 0,
            seen: Vec::new(),
            next: None,
            drafted: Vec::new(),
            reach: Reach::new(lookup),
            sampler: Sampler::new(sampling, &prompt),
            constraint,
            scores: Vec::new(),
            text: TextStream::new(&sampling.stop),
            begin,
            last: None,
            generation: Generation {
                finish: Finish::Length,
                prompt_tokens: prompt.len(),
                completion_tokens: 0,
                reused_tokens: 0,
                drafted_tokens: 0,
                accepted_tokens: 0,
                first_token_s: 0.0,
                longest_pause_s: 0.0,
                total_s: 0.0,
                form_s: 0.0,
                tokens: Vec::new(),
            },
            prompt,
        })
    }

    /// Positions it will need at most.
    pub(crate) fn positions(&self) -> usize {
        self.prompt.len() + self.most
    }

    /// The tokens whose keys and values are in the cache.
    pub(crate) fn seen(&self) -> &[u32] {
        &self.seen
    }

    /// The tokens in the cache that a prompt may continue: all, where a token is read `alike` in a prompt and when
    /// written; else those of the prompt.
    pub(crate) fn lasting(&self, alike: bool) -> &[u32] {
        if alike { &self.seen } else { &self.seen[..self.seen.len().min(self.prompt.len())] }
    }

    /// What is known of its text: the prompt, or, once that is read, everything in the cache that lasts.
    pub(crate) fn known(&self, alike: bool) -> &[u32] {
        if self.is_reading() { &self.prompt } else { self.lasting(alike) }
    }

    /// What of its prompt is computed apart.
    pub(crate) fn apart(&self) -> &Apart {
        &self.apart
    }

    /// Tokens at the beginning of the prompt whose keys and values another text has just so.
    pub(crate) fn shared(&self, tokens: &[u32], apart: &Apart) -> usize {
        let common = tokens.iter().zip(self.reusable()).take_while(|(a, b)| a == b).count();
        common.min(self.apart.departs(apart))
    }

    /// Tokens of the prompt whose keys and values may be taken from elsewhere. The last is always read: its
    /// logits are not kept.
    pub(crate) fn reusable(&self) -> &[u32] {
        &self.prompt[..self.prompt.len() - 1]
    }

    /// The cache now holds the first `positions` of the prompt; pieces beyond them are to be placed (again).
    pub(crate) fn reuse(&mut self, positions: usize) {
        self.generation.reused_tokens += positions - self.seen.len();
        self.seen = self.prompt[..positions].to_vec();
        let there = self.apart.pieces.iter().take_while(|piece| piece.given.end <= positions).count();
        self.pending = there..self.apart.pieces.len();
    }

    /// Context and tokens of each piece of which the first `positions` of the prompt lack something.
    pub(crate) fn pieces_beyond(&self, positions: usize) -> impl Iterator<Item = (&[u32], &[u32])> {
        let lacking = self.apart.pieces.iter().filter(move |piece| piece.given.end > positions);
        lacking.map(|piece| (&self.prompt[..self.apart.context], &self.prompt[piece.range.clone()]))
    }

    /// The piece that must be placed next. They are taken from the last to the first, so that what is read after
    /// the context, into the cache's own room there, never meets one that is at its place.
    pub(crate) fn next_piece(&self) -> Option<&Piece> {
        let ready = self.seen.len() >= self.apart.context;
        self.apart.pieces[self.pending.clone()].last().filter(|_| ready)
    }

    /// Its context and its tokens.
    pub(crate) fn next_key(&self) -> Option<(&[u32], &[u32])> {
        let piece = self.next_piece()?;
        Some((&self.prompt[..self.apart.context], &self.prompt[piece.range.clone()]))
    }

    /// Where in the cache it was read, if all of it was.
    pub(crate) fn piece_read(&self) -> Option<Range<usize>> {
        let Piece { range, given } = self.next_piece().filter(|piece| piece.range.len() == self.read_apart)?;
        let context = self.apart.context;
        Some(context + given.start - range.start..context + range.len())
    }

    /// It is at its place now; `known` when it had been computed before.
    pub(crate) fn placed(&mut self, known: bool) {
        if let Some(piece) = self.next_piece().filter(|_| known) {
            self.generation.reused_tokens += piece.given.end - piece.given.start.max(self.seen.len());
        }
        self.pending.end -= 1;
        self.read_apart = 0;
        if self.pending.is_empty() {
            let to = self.beyond_pieces(self.seen.len());
            self.seen.extend(&self.prompt[self.seen.len()..to]);
        }
    }

    /// `at`, or the end of the placed piece it stands in.
    fn beyond_pieces(&self, at: usize) -> usize {
        let here = |piece: &&Piece| piece.given.contains(&at);
        self.apart.pieces.iter().find(here).map_or(at, |piece| piece.given.end)
    }

    /// True until the prompt is read.
    pub(crate) fn is_reading(&self) -> bool {
        self.seen.len() < self.prompt.len()
    }

    /// Tokens of the prompt that are not read yet.
    pub(crate) fn unread(&self) -> usize {
        let placed = self.apart.pieces[self.pending.end..].iter().filter(|piece| piece.given.end > self.seen.len());
        let placed: usize = placed.map(|piece| piece.given.len()).sum();
        self.prompt.len().saturating_sub(self.seen.len() + placed)
    }

    /// The next `most` tokens of the prompt, where they are read to, and whether the logits after them are wanted.
    /// While a piece is to be computed, its tokens after the context.
    pub(crate) fn read(&mut self, most: usize) -> (Vec<u32>, Vec<Range<usize>>, usize) {
        if let Some(Piece { range, .. }) = self.next_piece() {
            debug_assert_eq!(self.seen.len(), self.apart.context, "what stands after the context would be lost");
            let tokens = self.prompt[range.start + self.read_apart..range.end].iter().take(most);
            let from = self.apart.context + self.read_apart;
            let run = from..from + most.min(range.len() - self.read_apart);
            return (tokens.copied().collect(), vec![run], 0);
        }
        let end = if self.pending.is_empty() { self.prompt.len() } else { self.apart.context };
        let (mut at, mut tokens, mut runs) = (self.seen.len(), Vec::new(), Vec::new());
        while at < end && tokens.len() < most {
            let next = self.apart.pieces.iter().map(|piece| piece.given.start).find(|&start| start >= at);
            let to = end.min(next.unwrap_or(end)).min(at + most - tokens.len());
            tokens.extend(&self.prompt[at..to]);
            runs.push(at..to);
            at = if self.pending.is_empty() { self.beyond_pieces(to) } else { to };
        }
        self.reaching = at;
        (tokens, runs, usize::from(at == self.prompt.len()))
    }

    /// What was given to read belongs to the next piece.
    pub(crate) fn advance_apart(&mut self, tokens: usize) {
        self.read_apart += tokens;
    }

    /// The token drawn last and a draft of at most `draft_most`, which are to be read.
    pub(crate) fn write(&mut self, draft_most: usize) -> Vec<u32> {
        let Some(next) = self.next else { return Vec::new() };
        let left = self.most - self.generation.completion_tokens;
        self.drafted = draft(&self.seen, next, self.reach.now().min(draft_most).min(left.saturating_sub(1)));
        self.generation.drafted_tokens += self.drafted.len();
        let mut tokens = vec![next];
        tokens.extend(&self.drafted);
        tokens
    }

    /// What was given to read has been read, and `logits` hold a row for each token whose logits were wanted.
    /// The text goes to `sink`; gives the reason when the sequence has ended.
    pub(crate) fn advance(
        &mut self,
        read: &[u32],
        (logits, vocabulary): (&[f32], usize),
        tokenizer: &Tokenizer,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Option<Finish>, LmError> {
        let drafted = std::mem::take(&mut self.drafted);
        match self.is_reading() {
            true => self.seen.extend(&self.prompt[self.seen.len()..self.reaching]),
            false => self.seen.extend(&read[..read.len() - drafted.len()]),
        }
        let mut right = 0;
        for row in logits.chunks_exact(vocabulary) {
            if self.generation.completion_tokens >= self.most {
                return Ok(Some(Finish::Length));
            }
            let drawn = match &mut self.constraint {
                None => self.sampler.next(row)?,
                Some(constraint) => {
                    let begin = Instant::now();
                    only(constraint.allowed()?, row, &mut self.scores);
                    self.generation.form_s += begin.elapsed().as_secs_f64();
                    self.sampler.next_of(row, &mut self.scores)?
                }
            };
            if self.generation.completion_tokens == 0 {
                self.generation.first_token_s = self.begin.elapsed().as_secs_f64();
            }
            let now = Instant::now();
            let pause = self.last.replace(now).map_or(0.0, |last| (now - last).as_secs_f64());
            self.generation.longest_pause_s = self.generation.longest_pause_s.max(pause);
            if tokenizer.is_end(drawn.id) {
                return Ok(Some(Finish::Stop));
            }
            self.generation.completion_tokens += 1;
            let id = drawn.id;
            if let Some(constraint) = &mut self.constraint {
                let begin = Instant::now();
                constraint.take(id)?;
                self.generation.form_s += begin.elapsed().as_secs_f64();
            }
            if let Some(finish) = self.show(drawn, tokenizer, sink) {
                return Ok(Some(finish));
            }
            if self.generation.completion_tokens >= self.most {
                return Ok(Some(Finish::Length));
            }
            if drafted.get(right) == Some(&id) {
                self.seen.push(id);
                right += 1;
                self.generation.accepted_tokens += 1;
            } else {
                self.next = Some(id);
                break;
            }
        }
        self.reach.learn(drafted.len(), right);
        Ok(None)
    }

    fn show(
        &mut self,
        drawn: Drawn,
        tokenizer: &Tokenizer,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Option<Finish> {
        let start = self.text.position();
        let piece = self.text.push(tokenizer.bytes(drawn.id));
        if let Some(logprob) = drawn.logprob {
            let bytes = |id: u32| tokenizer.bytes(id).to_vec();
            let top = drawn.top.iter().map(|&(id, logprob)| (bytes(id), logprob)).collect();
            self.generation.tokens.push(TokenLogprob { start, bytes: bytes(drawn.id), logprob, top });
        }
        let flow = if piece.text.is_empty() { ControlFlow::Continue(()) } else { sink(&piece.text) };
        match (piece.stopped, flow) {
            (true, _) => Some(Finish::StopString),
            (false, ControlFlow::Break(())) => Some(Finish::Cancelled),
            (false, ControlFlow::Continue(())) => None,
        }
    }

    /// The end: what was held back goes to `sink`.
    pub(crate) fn finish(mut self, finish: Finish, sink: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Generation {
        self.generation.finish = finish;
        let end = self.text.position();
        let rest = self.text.finish();
        if finish != Finish::Cancelled && !rest.is_empty() && sink(&rest).is_break() {
            self.generation.finish = Finish::Cancelled;
        }
        // A stop string cut these off.
        self.generation.tokens.retain(|token| token.start < end);
        self.generation.total_s = self.begin.elapsed().as_secs_f64();
        self.generation
    }
}
