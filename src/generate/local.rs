//! A language model in this process: `crates/lm` behind the [`Generator`] seam.
//!
//! Messages go through the model's own chat template. The model has one thread, which computes several
//! requests together; when its queue is full a request is refused at once.

use std::path::Path;

use sectora_lm::gguf::Gguf;
use sectora_lm::{ChatMessage, Engine, Form, Kv, LmError, Memory, Model, Options};

use super::{
    Evidence, Finish, GenerateError, Generation, Generator, Message, PromptStyle, Request, Role, Sampling, Sink,
    TokenLogprob,
};

/// The project's own reading model (`models/reader/`), part of the program.
pub static READER: &[u8] = include_bytes!("../../models/reader/reader.gguf");
const READER_NAME: &str = "embedded";

/// The metadata in which a GGUF file names another prompt layout than its chat template's.
pub const PROMPT_KEY: &str = "sectora.prompt";

/// How to open a local model.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalOptions {
    /// Most tokens of prompt and answer together; a model's own limit is kept.
    pub context_tokens: usize,
    /// Requests that may wait behind those that run.
    pub queue: usize,
    /// Threads on a CPU; 0 is one a processor.
    pub threads: usize,
    /// Requests computed together.
    pub sequences: usize,
    /// How keys and values are kept on a CPU.
    pub kv: Kv,
    /// Matrices of floats are quantized to Q8_0 when they are read.
    pub quantize: bool,
    /// MiB of keys and values of passages that are kept to be used again at another place; 0 is off.
    pub passage_kv_mb: usize,
    /// Share of such a passage that is read again in its place.
    pub passage_kv_reread: f32,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions {
            context_tokens: 8192,
            queue: 16,
            threads: 0,
            sequences: 1,
            kv: Kv::F16,
            quantize: false,
            passage_kv_mb: 0,
            passage_kv_reread: 0.1,
        }
    }
}

impl LocalOptions {
    fn settings(&self) -> Options {
        Options {
            device: sectora_lm::device(),
            context: self.context_tokens,
            threads: self.threads,
            sequences: self.sequences,
            kv: self.kv,
            quantize: self.quantize,
            segment_bytes: self.passage_kv_mb << 20,
            segment_reread: self.passage_kv_reread.into(),
            ..Options::default()
        }
    }
}

impl From<crate::config::Kv> for Kv {
    fn from(kv: crate::config::Kv) -> Kv {
        match kv {
            crate::config::Kv::F16 => Kv::F16,
            crate::config::Kv::F32 => Kv::F32,
            crate::config::Kv::Q8 => Kv::Q8,
        }
    }
}

/// A model on its own thread.
pub struct LocalGenerator {
    name: String,
    engine: Engine,
    style: PromptStyle,
}

impl LocalGenerator {
    /// Loads a GGUF file or a Hugging Face folder, on CUDA or Metal where this build has them.
    pub fn open(file: &Path, options: &LocalOptions) -> Result<LocalGenerator, GenerateError> {
        let stem = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
        LocalGenerator::started(format!("local:{stem}"), Gguf::open(file), options)
    }

    /// The same under another name than its file's.
    pub fn open_as(name: &str, file: &Path, options: &LocalOptions) -> Result<LocalGenerator, GenerateError> {
        LocalGenerator::started(name.to_owned(), Gguf::open(file), options)
    }

    /// The project's own reading model, which answers as `embedded`: that of a file, else the one inside the program.
    pub fn open_reader(file: Option<&Path>, options: &LocalOptions) -> Result<LocalGenerator, GenerateError> {
        let generator = LocalGenerator::started(READER_NAME.into(), reader(file), options)?;
        match (generator.style, file) {
            (PromptStyle::Reader, _) | (_, None) => Ok(generator),
            (PromptStyle::Chat | PromptStyle::None, Some(file)) => Err(GenerateError::Load {
                model: file.display().to_string(),
                what: format!(
                    "it has no {PROMPT_KEY} = reader, so models/reader/export.py did not write it; use --generator {}",
                    file.display()
                ),
            }),
        }
    }

    fn started(
        name: String,
        file: Result<Gguf, LmError>,
        options: &LocalOptions,
    ) -> Result<LocalGenerator, GenerateError> {
        let load = |e: LmError| GenerateError::Load { model: name.clone(), what: e.to_string() };
        let gguf = file.map_err(load)?;
        let style = match gguf.str(PROMPT_KEY) {
            Some("reader") => PromptStyle::Reader,
            Some(_) | None => PromptStyle::Chat,
        };
        let model = Model::of(gguf, &options.settings()).map_err(load)?;
        let engine = Engine::start(model, options.queue).map_err(load)?;
        Ok(LocalGenerator { name, engine, style })
    }

    /// What the model would take in memory, from the header of its file.
    pub fn memory(file: &Path, options: &LocalOptions) -> Result<Memory, GenerateError> {
        planned(Gguf::open(file), &file.display().to_string(), options)
    }

    /// The same of the reading model.
    pub fn reader_memory(file: Option<&Path>, options: &LocalOptions) -> Result<Memory, GenerateError> {
        planned(reader(file), READER_NAME, options)
    }

    fn failed(&self, error: LmError) -> GenerateError {
        let model = self.name.clone();
        match error {
            LmError::TooLong { tokens, window } => GenerateError::TooLong { model, tokens, window },
            LmError::Busy { waiting } => GenerateError::Busy { model, waiting },
            LmError::Sampling { field, what } => GenerateError::Sampling { field, what },
            LmError::Io { .. }
            | LmError::Gguf { .. }
            | LmError::Folder { .. }
            | LmError::Unsupported { .. }
            | LmError::Adapter { .. } => GenerateError::Load { model, what: error.to_string() },
            LmError::Tokenizer(_) | LmError::Template(_) | LmError::Stopped | LmError::Compute(_) => {
                GenerateError::Compute { model, what: error.to_string() }
            }
        }
    }
}

fn reader(file: Option<&Path>) -> Result<Gguf, LmError> {
    file.map_or_else(|| Gguf::of_bytes("the reader inside the program", READER), Gguf::open)
}

fn planned(file: Result<Gguf, LmError>, name: &str, options: &LocalOptions) -> Result<Memory, GenerateError> {
    let memory = file.and_then(|gguf| Memory::of(gguf, &options.settings()));
    memory.map_err(|e| GenerateError::Load { model: name.into(), what: e.to_string() })
}

impl Generator for LocalGenerator {
    fn name(&self) -> &str {
        &self.name
    }

    fn context_tokens(&self) -> usize {
        self.engine.window()
    }

    fn count_tokens(&self, text: &str) -> usize {
        // A text the tokenizer refuses is counted by its bytes: too many rather than too few.
        self.engine.tokenizer().encode(text).map_or(text.len(), |ids| ids.len())
    }

    fn prompt_style(&self) -> PromptStyle {
        self.style
    }

    fn has_logprobs(&self) -> bool {
        true
    }

    fn follows_schemas(&self) -> bool {
        match self.style {
            PromptStyle::Chat => true,
            // It never saw JSON.
            PromptStyle::Reader | PromptStyle::None => false,
        }
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let sampling = lowered(request.sampling);
        let messages = request.messages.iter().map(chat_message).collect();
        let segments = passages(request);
        let form = match (request.schema, request.evidence) {
            (Some(schema), _) => Some(Form::Json(schema.clone())),
            (None, []) => None,
            (None, evidence) => {
                let passages = evidence.iter().map(|e| (e.n, e.text.to_owned())).collect();
                Some(match self.style {
                    PromptStyle::Reader => Form::Copying { passages, silence: request.silence.to_owned() },
                    PromptStyle::Chat | PromptStyle::None => Form::Citing(passages),
                })
            }
        };
        let done = self.engine.run(sectora_lm::Request { messages, sampling, form, segments }, sink);
        let done = done.map_err(|e| self.failed(e))?;
        Ok(Generation {
            finish: match done.finish {
                sectora_lm::Finish::Stop => Finish::Stop,
                sectora_lm::Finish::StopString => Finish::StopString,
                sectora_lm::Finish::Length => Finish::Length,
                sectora_lm::Finish::Cancelled => Finish::Cancelled,
            },
            prompt_tokens: done.prompt_tokens,
            completion_tokens: done.completion_tokens,
            first_token_s: done.first_token_s,
            tokens: done.tokens.into_iter().map(logprob).collect(),
        })
    }
}

/// Headings and texts of the passages as the last message has them, without their numbers: what is the same when
/// a passage comes back in another place.
fn passages(request: &Request<'_>) -> Vec<String> {
    let Some(Message { content, .. }) = request.messages.last() else { return Vec::new() };
    let (mut all, mut from) = (Vec::new(), 0);
    let mark = |e: &Evidence<'_>| format!("[{}] {}\n", e.n, e.heading);
    // The small reader is not shown every passage.
    let shown: Vec<&Evidence<'_>> = request.evidence.iter().filter(|e| content.contains(&mark(e))).collect();
    for (i, evidence) in shown.iter().enumerate() {
        let Some(at) = content[from..].find(&mark(evidence)) else { return Vec::new() };
        let rest = &content[from + at + format!("[{}] ", evidence.n).len()..];
        let whole = format!("{}\n{}", evidence.heading, evidence.text);
        // A small window gets excerpts: up to the next passage, or to the empty line before the question.
        let text = match (rest.starts_with(&whole), shown.get(i + 1)) {
            (true, _) => &rest[..whole.len()],
            (false, Some(next)) => rest.find(&mark(next)).map_or(rest, |end| &rest[..end]),
            (false, None) => rest.rfind("\n\n").map_or(rest, |end| &rest[..end]),
        };
        all.push(text.trim_end().to_owned());
        from = content.len() - rest.len() + text.len();
    }
    all
}

fn lowered(sampling: &Sampling) -> sectora_lm::Sampling {
    sectora_lm::Sampling {
        temperature: sampling.temperature,
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        min_p: sampling.min_p,
        repetition_penalty: sampling.repetition_penalty,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        logit_bias: sampling.logit_bias.clone(),
        seed: sampling.seed,
        max_tokens: sampling.max_tokens,
        stop: sampling.stop.clone(),
        logprobs: sampling.logprobs,
    }
}

fn logprob(token: sectora_lm::TokenLogprob) -> TokenLogprob {
    let sectora_lm::TokenLogprob { start, bytes, logprob, top } = token;
    TokenLogprob { start, bytes, logprob, top }
}

/// A message as the engine takes it.
pub fn chat_message(message: &Message) -> ChatMessage {
    match message.role {
        Role::System => ChatMessage::system(&message.content),
        Role::User => ChatMessage::user(&message.content),
        Role::Assistant => ChatMessage::assistant(&message.content),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use candle_core::quantized::GgmlDType;
    use sectora_lm::Architecture;
    use sectora_lm::random::{RandomShape, write_gguf};

    use super::*;
    use crate::text::coverage::Coverage;

    fn tiny() -> (tempfile::TempDir, LocalGenerator) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tiny.gguf");
        write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::F32, &file, 5).unwrap();
        let generator = LocalGenerator::open(&file, &LocalOptions::default()).unwrap();
        (dir, generator)
    }

    fn ask(
        generator: &LocalGenerator,
        question: &str,
        max_tokens: usize,
    ) -> Result<(String, Generation), GenerateError> {
        ask_with(generator, question, &Sampling { max_tokens, ..Sampling::default() })
    }

    fn ask_with(
        generator: &LocalGenerator,
        question: &str,
        sampling: &Sampling,
    ) -> Result<(String, Generation), GenerateError> {
        let messages = [Message { role: Role::User, content: question.into() }];
        let coverage = Coverage::of_question(question, &[]);
        let request = Request { messages: &messages, ..Request::new(question, &coverage, sampling) };
        let mut text = String::new();
        let generation = generator.generate(&request, &mut |piece| {
            text.push_str(piece);
            ControlFlow::Continue(())
        })?;
        Ok((text, generation))
    }

    #[test]
    fn a_local_model_is_named_counts_tokens_and_repeats_itself() {
        let (_dir, generator) = tiny();
        assert_eq!((generator.name(), generator.context_tokens()), ("local:tiny", 512));
        assert_eq!(generator.count_tokens("전지"), 6);
        let (text, generation) = ask(&generator, "무엇인가?", 12).unwrap();
        assert_eq!(generation.completion_tokens, 12);
        assert_eq!(ask(&generator, "무엇인가?", 12).unwrap().0, text);
    }

    #[test]
    fn a_stop_string_that_ended_the_text_is_told_from_other_ends() {
        let (_dir, generator) = tiny();
        let (text, generation) = ask(&generator, "x", 40).unwrap();
        assert_ne!(generation.finish, Finish::StopString);
        let stop = vec![text.chars().next().unwrap().to_string()];
        let sampling = Sampling { max_tokens: 40, stop, ..Sampling::default() };
        let (text, generation) = ask_with(&generator, "x", &sampling).unwrap();
        assert_eq!((text.as_str(), generation.finish), ("", Finish::StopString));
    }

    #[test]
    fn a_prompt_beyond_the_window_says_how_long_it_is() {
        let (_dir, generator) = tiny();
        let error = ask(&generator, &"y".repeat(900), 5).unwrap_err();
        assert!(matches!(error, GenerateError::TooLong { window: 512, tokens: 900.., .. }), "{error}");
    }

    #[test]
    fn passages_are_found_as_the_prompt_shows_them() {
        let coverage = Coverage::of_question("q?", &[]);
        let evidence = [
            Evidence { n: 1, heading: "A | 2024".into(), text: "one\n\ntwo", header: None },
            Evidence { n: 2, heading: "B".into(), text: "three. four.", header: None },
        ];
        let found = |content: &str| {
            passages(&Request {
                evidence: &evidence,
                messages: &[Message { role: Role::User, content: content.into() }],
                ..Request::new("q?", &coverage, &Sampling::default())
            })
        };
        let whole = ["A | 2024\none\n\ntwo", "B\nthree. four."];
        assert_eq!(found("[1] A | 2024\none\n\ntwo\n\n[2] B\nthree. four.\n\nQuestion: q?\n\nAnswer as JSON"), whole);
        let excerpts = ["A | 2024\ntwo", "B\nfour."];
        assert_eq!(found("q?\n\n[1] A | 2024\ntwo\n\n[2] B\nfour.\n\nq?"), excerpts);
        assert!(found("[1] another heading\none\n\nq?").is_empty());
        assert!(found("").is_empty());
    }

    #[test]
    fn a_file_that_is_no_model_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notes.gguf");
        fs_err::write(&file, "not a model").unwrap();
        let error = LocalGenerator::open(&file, &LocalOptions::default()).err().unwrap().to_string();
        assert!(error.contains("local:notes") && error.contains("GGUF"), "{error}");
    }
}
