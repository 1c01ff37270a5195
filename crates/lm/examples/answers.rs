//! What drafts, kept keys and values, and company bring on a model that has learnt to answer.
//!
//! `cargo run --release -p sectora-lm --example answers -- MODEL.gguf [ROUNDS]`: some 2,000 tokens of made-up records, and
//! questions whose answers quote them. Printed, medians of the rounds: tokens a second with drafts and without, and whether
//! the text is the same (it fails where one is not); seconds to the first token, cold and for another question over the
//! same records; tokens a second of eight questions at once and of one; memory that was announced, and that the process
//! had at most.

use std::ops::ControlFlow;
use std::path::Path;

use sectora_lm::{ChatMessage, Generation, Memory, Model, Options, Sampling};

type Failure = Box<dyn std::error::Error>;

const QUESTIONS: [&str; 8] = [
    "Quote the records 3, 11 and 19 word for word.",
    "Which record has the highest flux? Quote that record and the one after it word for word.",
    "Copy records 24 and 25.",
    "5번과 6번 기록을 그대로 옮겨 적어라.",
    "Quote word for word what record 30 says, then what record 2 says.",
    "List the records 8, 9 and 10 exactly as they stand.",
    "Repeat record 14 and record 28 word for word.",
    "Quote the records 17, 18 and 21 word for word.",
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("answers MODEL.gguf [ROUNDS]")?;
    let rounds: usize = arguments.next().map_or(Ok(3), |n| n.parse())?;
    let options = Options { context: 3072, sequences: QUESTIONS.len(), kv_positions: 24_576, ..Options::default() };
    let announced = Memory::plan(Path::new(&path), &options)?;
    let mut model = Model::open(path.as_ref(), &options)?;
    println!("{}", model.describe());
    let prompts: Vec<Vec<u32>> = QUESTIONS.iter().map(|q| model.prompt(&chat(q))).collect::<Result<_, _>>()?;

    let (mut plain, mut drafted, mut cold, mut again) = (vec![], vec![], vec![], vec![]);
    let (mut alone, mut together) = (vec![], vec![]);
    let mut others = 0;
    for round in 0..rounds {
        for (at, prompt) in prompts.iter().enumerate() {
            if at == 0 {
                model.forget();
            }
            model.set_lookup(0);
            let (without, a) = answer(&mut model, prompt)?;
            if at == 0 { &mut cold } else { &mut again }.push(a.first_token_s);
            model.set_lookup(Options::default().lookup);
            let (with, b) = answer(&mut model, prompt)?;
            plain.push(speed(&a));
            drafted.push(speed(&b));
            others += usize::from(with != without);
            let same = if with == without { "the same text" } else { "ANOTHER TEXT" };
            if round == 0 {
                println!(
                    "{}: {} tokens read, {} written at {:.1}/s, with drafts {:.1}/s ({} of {} drafted were right), {same}",
                    QUESTIONS[at],
                    a.prompt_tokens,
                    a.completion_tokens,
                    speed(&a),
                    speed(&b),
                    b.accepted_tokens,
                    b.drafted_tokens
                );
                println!("    {:?}", without.chars().take(160).collect::<String>());
            }
        }
        model.set_lookup(0);
        let all: Vec<_> = prompts.iter().map(|prompt| (prompt, sampling(64))).collect();
        alone.push(total(&model.generate_all(&all[..1])?));
        together.push(total(&model.generate_all(&all)?));
    }
    let shown = [plain, drafted, cold, again, alone, together].map(median);
    let [plain, drafted, cold, again, alone, together] = shown;
    println!("written: {plain:.1}/s, with drafts {drafted:.1}/s ({:.2} times)", drafted / plain);
    println!("first token: {cold:.3} s cold, {again:.3} s again ({:.1} times sooner)", cold / again);
    println!("eight together: {together:.1}/s, one alone {alone:.1}/s ({:.2} times)", together / alone);
    println!("announced: {announced}");
    if let Some(most) = peak() {
        println!("in use at most: {} MB", most >> 10);
    }
    match others {
        0 => Ok(()),
        _ => Err(format!("{others} of {} answers were another text with drafts", rounds * QUESTIONS.len()).into()),
    }
}

fn chat(question: &str) -> Vec<ChatMessage> {
    let records = (1..=32).map(|n| {
        let (flux, salt, hours) = (20 + n * 37 % 23, 990 + n * 7 % 9, 300 + n * 131 % 700);
        let plant = ["Eastern", "Northern", "Harbour", "Island", "Upper"][n % 5];
        let word = ["backwash", "booster pump", "boron stage", "intake screen"][n % 4];
        format!(
            "Record {n}. The {plant} plant ran train {} for {hours} hours at a flux of {flux}.{} litres per square metre and hour, held \
             back {}.{} percent of the salt, and changed the {word} in week {}.\n",
            n % 7 + 1,
            n * 3 % 10,
            salt / 10,
            salt % 10,
            n * 5 % 52 + 1
        )
    });
    let records: String = records.collect();
    vec![
        ChatMessage::system("You answer from the records and quote them exactly."),
        ChatMessage::user(&format!("{records}\n{question}")),
    ]
}

fn sampling(most: usize) -> Sampling {
    Sampling { max_tokens: most, temperature: 0.0, ..Sampling::default() }
}

fn answer(model: &mut Model, prompt: &[u32]) -> Result<(String, Generation), Failure> {
    let mut text = String::new();
    let done = model.generate(prompt, &sampling(160), &|| false, &mut |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    })?;
    Ok((text, done))
}

fn speed(g: &Generation) -> f64 {
    g.completion_tokens.saturating_sub(1) as f64 / (g.total_s - g.first_token_s)
}

/// Tokens a second of what was written, from the first token of the last to begin on.
fn total(all: &[Generation]) -> f64 {
    let begin = all.iter().map(|g| g.first_token_s).fold(0.0, f64::max);
    let end = all.iter().map(|g| g.total_s).fold(0.0, f64::max);
    // Each wrote in this time what its share of it is.
    let written = |g: &Generation| {
        let span = (g.total_s - g.first_token_s).max(1e-9);
        (g.completion_tokens.saturating_sub(1)) as f64 * ((g.total_s - begin).max(0.0) / span)
    };
    all.iter().map(written).sum::<f64>() / (end - begin)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Kilobytes.
fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
