//! Compares this engine with llama.cpp on a real GGUF file: `tools/lm_parity/peer.sh` runs both sides.
//!
//! `cargo run --release -p sectora-lm --example peer -- MODEL.gguf DIR`, DIR being what `tools/lm_parity/peer.py` wrote.
//! Printed: strings whose token ids differ, and prompts that jinja2 renders otherwise; for each text, read as a prompt and
//! written token by token, the differences of logits, how often the first choice is the same, the perplexity of both; and
//! both against the same weights in f32, where DIR has them; where greedy continuations part, and by how much the
//! other's first choice exceeded its second there. Fails where ids or prompts differ, or where the first choices agree
//! in less than [`AGREE`] of a text.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use sectora_lm::gguf::Gguf;
use sectora_lm::{ChatMessage, ChatTemplate, Decoder, Kv, Options, Shape, Tokenizer};
use serde::Deserialize;

/// Two roundings of four-bit weights' products agree in nearly all first choices.
const AGREE: f64 = 0.9;

type Failure = Box<dyn std::error::Error>;
/// Roles and what they say.
type Chat = Vec<(String, String)>;

#[derive(Deserialize)]
struct Peer {
    strings: Vec<(String, Vec<u32>)>,
    /// Why some of them may have other ids.
    explained: BTreeMap<String, String>,
    chats: Vec<(Chat, Option<String>)>,
    texts: BTreeMap<String, Vec<u32>>,
    greedy: Vec<Greedy>,
}

#[derive(Deserialize)]
struct Greedy {
    read: Vec<u32>,
    new: Vec<u32>,
    margins: Vec<f32>,
}

fn main() -> Result<ExitCode, Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("peer MODEL.gguf DIR; see tools/lm_parity/peer.sh".into());
    };
    let (model, folder) = (Path::new(&model), Path::new(&folder));
    let peer: Peer = serde_json::from_reader(File::open(folder.join("peer.json"))?)?;
    let mut gguf = Gguf::open(model)?;
    let tokenizer = Tokenizer::from_gguf(&gguf)?;
    let mut failed = false;

    let mut same = 0;
    for (text, expect) in &peer.strings {
        let found = tokenizer.encode(text)?;
        if found == *expect {
            same += 1;
            continue;
        }
        let why = peer.explained.get(text);
        failed |= why.is_none();
        println!("{text:?}: ids {found:?}, the other's {expect:?}: {}", why.map_or("NOT EXPLAINED", |why| why));
    }
    println!("{same} of {} strings have the same ids", peer.strings.len());

    let template = ChatTemplate::of(&gguf, Shape::read(&gguf)?.architecture, &tokenizer);
    for (chat, expect) in &peer.chats {
        let Some(expect) = expect else { continue };
        let message = |(role, content): &(String, String)| ChatMessage { role: role.clone(), content: content.clone() };
        let found = template.render(&chat.iter().map(message).collect::<Vec<_>>())?;
        if found != *expect {
            println!("prompt {found:?}, jinja2's {expect:?}");
            failed = true;
        }
    }

    let mut decoder = Decoder::open(&mut gguf, &Options { context: 1024, ..Options::default() })?;
    println!("{}", decoder.describe());
    let exact = folder.join("exact.gguf");
    let exact = if exact.is_file() { Some(exact_logits(&exact, &peer)?) } else { None };
    for (index, (name, ids)) in peer.texts.iter().enumerate() {
        let theirs = floats(&std::fs::read(folder.join(format!("{name}.f32")))?);
        decoder.clear();
        let read = decoder.forward_all(ids)?;
        decoder.clear();
        let written = ids.iter().map(|&id| decoder.forward(&[id])).collect::<Result<Vec<_>, _>>()?.concat();
        let exact = exact.as_ref().map(|all| &all[index][..]);
        let vocabulary = read.len() / ids.len();
        let pairs = [("read", &read[..]), ("written", &written[..]), ("llama.cpp", &theirs[..])];
        println!("{name}, {} tokens; perplexity: {}", ids.len(), {
            let all = pairs.iter().map(|(who, rows)| (*who, *rows)).chain(exact.map(|rows| ("f32 weights", rows)));
            all.map(|(who, rows)| format!("{who} {:.4}", perplexity(rows, ids, vocabulary)))
                .collect::<Vec<_>>()
                .join(", ")
        });
        for (a, b) in [(0, 2), (1, 2), (0, 1)] {
            let agree = compare(pairs[a], pairs[b], vocabulary);
            failed |= agree.is_nan() || agree < AGREE;
        }
        if let Some(exact) = exact {
            for pair in pairs {
                compare(pair, ("f32 weights", exact), vocabulary);
            }
        }
    }
    for Greedy { read, new, margins } in &peer.greedy {
        decoder.clear();
        let mut logits = decoder.forward(read)?;
        let mut mine = Vec::new();
        for _ in new {
            let next = best(&logits);
            mine.push(next as u32);
            logits = decoder.forward(&[next as u32])?;
        }
        match mine.iter().zip(new).position(|(a, b)| a != b) {
            None => println!("greedy: the same {} tokens", new.len()),
            Some(at) => {
                println!("greedy: parts at token {at}, where the other's first choice led by {:.3}", margins[at])
            }
        }
    }
    println!("{}", if failed { "FAILED" } else { "passed" });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Logits of each text by weights in f32, keys and values in f32.
fn exact_logits(path: &Path, peer: &Peer) -> Result<Vec<Vec<f32>>, Failure> {
    let options = Options { context: 1024, kv: Kv::F32, ..Options::default() };
    let mut decoder = Decoder::open(&mut Gguf::open(path)?, &options)?;
    let rows = peer.texts.values().map(|ids| {
        decoder.clear();
        decoder.forward_all(ids)
    });
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Prints how two rows of logits differ; the share of equal first choices.
fn compare((who, mine): (&str, &[f32]), (other, theirs): (&str, &[f32]), vocabulary: usize) -> f64 {
    let (mut largest, mut at, mut sum, mut kl, mut same) = (0.0f32, 0, 0.0, 0.0, 0);
    let rows = mine.len() / vocabulary;
    for (row, (a, b)) in mine.chunks_exact(vocabulary).zip(theirs.chunks_exact(vocabulary)).enumerate() {
        let differences = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
        let most = differences().fold(0.0f32, |m, d| if d > m || d.is_nan() { d } else { m });
        if most > largest || most.is_nan() {
            (largest, at) = (most, row);
        }
        sum += differences().map(f64::from).sum::<f64>() / vocabulary as f64;
        let (p, q) = (normalizer(b), normalizer(a));
        let terms =
            a.iter().zip(b).map(|(&a, &b)| (f64::from(b) - p).exp() * ((f64::from(b) - p) - (f64::from(a) - q)));
        kl += terms.sum::<f64>();
        same += usize::from(best(a) == best(b));
    }
    let (all, agree) = (rows as f64, same as f64 / rows as f64);
    println!(
        "  {who} against {other}: logits differ by {largest:.3} at most (after token {at}), {:.4} on average; KL {:.5}; first choice the same in {:.1} %",
        sum / all,
        kl / all,
        100.0 * agree
    );
    if mine.len() == theirs.len() { agree } else { f64::NAN }
}

fn perplexity(rows: &[f32], ids: &[u32], vocabulary: usize) -> f64 {
    let losses =
        rows.chunks_exact(vocabulary).zip(&ids[1..]).map(|(row, &id)| normalizer(row) - f64::from(row[id as usize]));
    (losses.sum::<f64>() / (ids.len() - 1) as f64).exp()
}

/// The logarithm of the sum of exponentials.
fn normalizer(row: &[f32]) -> f64 {
    let most = row.iter().copied().fold(f32::MIN, f32::max);
    f64::from(most) + row.iter().map(|&x| f64::from(x - most).exp()).sum::<f64>().ln()
}

fn best(row: &[f32]) -> usize {
    row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
}
