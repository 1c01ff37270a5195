use std::io::Read;
use std::ops::ControlFlow;

use clap::Args;

use super::{Context, Failure, Outcome};
use crate::answer::{Answer, Ask, Event};
use crate::app::App;
use crate::config::Config;
use crate::document::{Access, Language};
use crate::generate::{Message, Sampling};
use crate::prompt;
use crate::retrieve::{SearchMode, SearchOptions};
use crate::text::spaced;

#[derive(Args)]
pub(super) struct Arguments {
    /// The question; `-` reads it from standard input
    question: String,
    #[command(flatten)]
    options: Options,
}

/// Restrictions of a search and settings of an answer.
#[derive(Args, Clone)]
pub(super) struct Options {
    #[command(flatten)]
    pub(super) search: SearchArguments,
    /// 0 is greedy
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// New tokens at most
    #[arg(long)]
    max_tokens: Option<usize>,
    /// Same seed, same text
    #[arg(long)]
    seed: Option<u64>,
}

/// Restrictions of a search.
#[derive(Args, Clone)]
pub(super) struct SearchArguments {
    /// Passages to use
    #[arg(long, value_name = "N")]
    passages: Option<usize>,
    /// Only this institution (may be repeated)
    #[arg(long, value_name = "NAME")]
    institution: Vec<String>,
    /// Only this document type (may be repeated)
    #[arg(long = "type", value_name = "TYPE")]
    doc_type: Vec<String>,
    /// Only documents in this language
    #[arg(long, value_parser = ["ko", "en"])]
    language: Option<String>,
    /// First year
    #[arg(long, value_name = "YEAR")]
    since: Option<i64>,
    /// Last year
    #[arg(long, value_name = "YEAR")]
    until: Option<i64>,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
    /// Which vectors to search
    #[arg(long, value_parser = ["auto", "sparse", "dense", "hybrid"], default_value = "auto")]
    mode: String,
}

impl SearchArguments {
    pub(super) fn lower(&self, config: &Config) -> Result<SearchOptions, Failure> {
        if let (Some(from), Some(to)) = (self.since, self.until)
            && from > to
        {
            return Err(Failure::bad_input(format!("--since {from} is after --until {to}")));
        }
        let limit = self.passages.unwrap_or(config.search.passages);
        if !(1..=50).contains(&limit) {
            return Err(Failure::bad_input(format!("--passages {limit}: must be 1 to 50")));
        }
        Ok(SearchOptions {
            limit,
            mode: match self.mode.as_str() {
                "sparse" => SearchMode::Sparse,
                "dense" => SearchMode::Dense,
                "hybrid" => SearchMode::Hybrid,
                _ => SearchMode::Auto,
            },
            institutions: self.institution.clone(),
            doc_types: self.doc_type.clone(),
            language: self.language.as_deref().map(|l| if l == "ko" { Language::Ko } else { Language::En }),
            year_from: self.since,
            year_to: self.until,
            access: self.access,
        })
    }
}

impl Options {
    pub(super) fn ask(&self, config: &Config, question: String, history: Vec<Message>) -> Result<Ask, Failure> {
        let temperature = self.temperature.unwrap_or(config.answer.temperature);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(Failure::bad_input(format!("--temperature {temperature}: must be 0 to 2")));
        }
        let sampling = Sampling {
            temperature,
            top_p: config.answer.top_p,
            seed: self.seed.unwrap_or(config.answer.seed),
            max_tokens: self.max_tokens.unwrap_or(config.answer.max_tokens).max(1),
            ..Sampling::default()
        };
        Ok(Ask { question, history, search: self.search.lower(config)?, sampling, schema: None })
    }
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let mut question = arguments.question;
    if question == "-" {
        question.clear();
        std::io::stdin()
            .read_to_string(&mut question)
            .map_err(|e| Failure::bad_input(format!("standard input: {e}")))?;
    }
    let ask = arguments.options.ask(&context.config, question.trim().to_owned(), Vec::new())?;
    let app = context.open_for(&ask.question)?;
    let mut answer = stream(context, &app, &ask)?;
    note_access(&app, &ask, &mut answer)?;
    context.output.result(&answer, |answer| after(answer, &ask.question));
    Ok(if answer.abstained { Outcome::No } else { Outcome::Yes })
}

/// Answers, printing sentences as they are verified.
pub(super) fn stream(context: &Context, app: &App, ask: &Ask) -> Result<Answer, Failure> {
    let answer = app.answer(ask, &mut |event| {
        match event {
            Event::Sentence(text) => context.output.piece(&text),
            Event::Passages(_) | Event::Writing => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(answer)
}

/// Says below an abstention that there are documents above the level that was stated, if there are: whoever may use this command line
/// may state another. Whether they answer is not said.
pub(super) fn note_access(app: &App, ask: &Ask, answer: &mut Answer) -> Result<(), Failure> {
    if answer.abstained && app.withholds(ask.search.access)? {
        answer.notes.push(prompt::above_access(Language::detect(&ask.question), ask.search.access.name()));
    }
    Ok(())
}

/// What stands under the answer to `question`: its sources, or what came nearest.
pub(super) fn after(answer: &Answer, question: &str) -> String {
    let language = match Language::detect(question) {
        Language::Other => Language::detect(&answer.answer),
        asked => asked,
    };
    let ko = language == Language::Ko;
    let mut out = String::from("\n\n");
    for r in &answer.respelt {
        out.push_str(&format!("{}\n", prompt::respelt(language, &r.from, &r.to)));
    }
    for note in &answer.notes {
        out.push_str(&format!("※ {note}\n"));
    }
    if answer.abstained {
        if !answer.passages.is_empty() {
            out.push_str(if ko { "가장 가까운 자료:\n" } else { "Nearest passages:\n" });
        }
        for p in answer.passages.iter().take(3) {
            out.push_str(&format!("  [{}] {}\n", p.n, place(&p.title, p.page, &p.path.join(" > "), &p.source, ko)));
        }
    } else {
        out.push_str(if ko { "근거:\n" } else { "Sources:\n" });
        let mut seen = Vec::new();
        for c in &answer.citations {
            if !seen.contains(&(c.n, c.start)) {
                seen.push((c.n, c.start));
                out.push_str(&format!(
                    "  [{}] {}\n      “{}”\n",
                    c.n,
                    place(&c.title, c.page, &c.section, &c.source, ko),
                    spaced(&c.quote)
                ));
            }
        }
    }
    let cut = if answer.complete || answer.abstained { "" } else { ", cut at the token limit" };
    out.push_str(&format!("({}, {:.1} s{cut})", answer.generator, answer.timings_ms.total / 1e3));
    out
}

fn place(title: &str, page: Option<u32>, section: &str, source: &str, ko: bool) -> String {
    let mut out = title.to_owned();
    if let Some(page) = page {
        out.push_str(&if ko { format!(", {page}쪽") } else { format!(", p. {page}") });
    }
    if !section.is_empty() && section != title {
        out.push_str(&format!(", {section}"));
    }
    format!("{out} ({source})")
}
