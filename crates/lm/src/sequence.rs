//! One request on its way: what it has read, what it reads next, what it has written.
//!
//! In: rows of logits for the tokens it was given to read. Out: text, and the tokens to read next. It knows
//! nothing of other requests and holds no cache; [`crate::scheduler`] lends it one.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::constraint::Constraint;
use crate::lookup::{Reach, draft};
use crate::sampler::Drawn;
use crate::text_stream::TextStream;
use crate::{Finish, Generation, LmError, Sampler, Sampling, TokenLogprob, Tokenizer};

/// A request's state.
pub(crate) struct Sequence {
    pub(crate) id: u64,
    prompt: Vec<u32>,
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
    text: TextStream,
    begin: Instant,
    generation: Generation,
}

impl Sequence {
    /// `begin` is when it was asked, `lookup` the longest draft; refuses a prompt that leaves no room.
    pub(crate) fn new(
        id: u64,
        prompt: Vec<u32>,
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
            seen: Vec::new(),
            next: None,
            drafted: Vec::new(),
            reach: Reach::new(lookup),
            sampler: Sampler::new(sampling, &prompt),
            constraint,
            text: TextStream::new(&sampling.stop),
            begin,
            generation: Generation {
                finish: Finish::Length,
                prompt_tokens: prompt.len(),
                completion_tokens: 0,
                reused_tokens: 0,
                drafted_tokens: 0,
                accepted_tokens: 0,
                first_token_s: 0.0,
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

    /// Tokens of the prompt whose keys and values may be taken from elsewhere. The last is always read: its
    /// logits are not kept.
    pub(crate) fn reusable(&self) -> &[u32] {
        &self.prompt[..self.prompt.len() - 1]
    }

    /// The cache now holds the first `positions` of the prompt.
    pub(crate) fn reuse(&mut self, positions: usize) {
        self.generation.reused_tokens += positions - self.seen.len();
        self.seen = self.prompt[..positions].to_vec();
    }

    /// True until the prompt is read.
    pub(crate) fn is_reading(&self) -> bool {
        self.seen.len() < self.prompt.len()
    }

    /// Tokens of the prompt that are not read yet.
    pub(crate) fn unread(&self) -> usize {
        self.prompt.len().saturating_sub(self.seen.len())
    }

    /// The next `most` tokens of the prompt, and whether the logits after them are wanted.
    pub(crate) fn read(&mut self, most: usize) -> (Vec<u32>, usize) {
        let from = self.seen.len();
        let to = self.prompt.len().min(from + most);
        (self.prompt[from..to].to_vec(), usize::from(to == self.prompt.len()))
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
        self.seen.extend(&read[..read.len() - drafted.len()]);
        let mut right = 0;
        for row in logits.chunks_exact(vocabulary) {
            if self.generation.completion_tokens >= self.most {
                return Ok(Some(Finish::Length));
            }
            let drawn = match &mut self.constraint {
                None => self.sampler.next(row)?,
                Some(constraint) => {
                    let begin = Instant::now();
                    let allowed = constraint.allowed()?;
                    self.generation.form_s += begin.elapsed().as_secs_f64();
                    self.sampler.next_of(row, Some(allowed))?
                }
            };
            if self.generation.completion_tokens == 0 {
                self.generation.first_token_s = self.begin.elapsed().as_secs_f64();
            }
            if tokenizer.is_end(drawn.id) {
                return Ok(Some(Finish::Stop));
            }
            self.generation.completion_tokens += 1;
            let id = drawn.id;
            if let Some(constraint) = &mut self.constraint {
                constraint.take(id)?;
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
            (true, _) => Some(Finish::Stop),
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
