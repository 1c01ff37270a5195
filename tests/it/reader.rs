//! `--generator embedded`: the project's own reading model, as shipped and with random weights.

use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use sectora_lm::Architecture;
use sectora_lm::random::{RandomShape, write_gguf};

use crate::program::{code, json, sectora_writing};

/// A tiny model that says of itself what models/reader/export.py writes.
pub(crate) fn write_reader(file: &Path, context: usize) {
    let plain = file.with_extension("plain");
    let shape = RandomShape { context, ..RandomShape::tiny(Architecture::Qwen3) };
    write_gguf(&shape, GgmlDType::F32, &plain, 5).unwrap();
    let mut source = std::fs::File::open(&plain).unwrap();
    let content = Content::read(&mut source).unwrap();
    let names = content.tensor_infos.keys();
    let tensors: Vec<(&String, QTensor)> =
        names.map(|name| (name, content.tensor(&mut source, name, &Device::Cpu).unwrap())).collect();
    let prompt = Value::String("reader".into());
    let mut metadata: Vec<(&str, &Value)> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    metadata.push(("sectora.prompt", &prompt));
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    gguf_file::write(&mut std::fs::File::create(file).unwrap(), &metadata, &tensors).unwrap();
}

/// The weights of the repository, without any file beside the program. They are weak on real documents (models/reader/README.md), but plain
/// sentences they read; two of three, because a processor's rounding may tip one.
#[test]
fn the_shipped_reader_reads_plain_sentences_and_warns_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    let graphite = "# 청림소재연구원 | 고순도 흑연 정제 과제 | 2021\n\n고순도 흑연 정제 과제의 총 예산은 32억 원이다. 이 과제의 책임자는 한도윤이다. \
                    반응 온도는 450 °C로 정하였다.\n";
    let paste = "# Calder Institute | Silver paste project | 2019\n\nThe budget of the silver paste project was 4.2 million euros. The project \
                 ran from 2016 to 2019. The paste reached a resistivity of 2.1 µΩ cm.\n";
    std::fs::write(notes.join("graphite.md"), graphite).unwrap();
    std::fs::write(notes.join("paste.md"), paste).unwrap();
    let run =
        |arguments: &[&str]| sectora_writing(dir.path(), "embedded").arg("--json").args(arguments).output().unwrap();
    assert_eq!(code(&run(&["ingest", notes.to_str().unwrap()])), 0);
    let mut right = 0;
    for (question, expected) in [
        ("고순도 흑연 정제 과제의 예산은 얼마인가?", "32억 원"),
        ("고순도 흑연 정제 과제의 반응 온도는 얼마인가?", "450 °C"),
        ("What resistivity did the silver paste project reach?", "2.1 µΩ cm"),
    ] {
        let output = run(&["ask", question]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let warned =
            said.contains("mostly wrong on real documents") || said.contains("실제 문서에서는 대부분 틀립니다");
        assert!(warned, "{said}");
        let answer = json(&output);
        assert_eq!(answer["generator"], "embedded");
        let cited = answer["citations"].as_array().unwrap();
        let quoted = cited.iter().any(|c| c["quote"].as_str().is_some_and(|quote| quote.contains(expected)));
        right += usize::from(answer["answer"].as_str().unwrap().contains(expected) && quoted);
    }
    assert!(right >= 2, "{right} of 3");
}

#[test]
fn a_model_that_is_no_reader_is_refused_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::F32, &models.join("reader.gguf"), 5).unwrap();
    let output = sectora_writing(dir.path(), "embedded").args(["ask", "q"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 2, "{words}");
    assert!(words.contains("sectora.prompt = reader"), "{words}");
}

#[test]
fn the_reader_answers_as_embedded_and_shows_nothing_that_no_passage_supports() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    write_reader(&models.join("reader.gguf"), 512);
    let notes = dir.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    let long = "The lattice plant in Orvale treats 48 tonnes of brine a day. ".to_owned()
        + &"Its owner keeps a log of every valve. ".repeat(60);
    std::fs::write(notes.join("plant.md"), format!("# Orvale plant\n\n{long}\n")).unwrap();
    let run =
        |arguments: &[&str]| sectora_writing(dir.path(), "embedded").arg("--json").args(arguments).output().unwrap();
    assert_eq!(code(&run(&["ingest", notes.to_str().unwrap()])), 0);
    // The passages are longer than the model's window of 512 tokens: they are cut, not refused.
    let answer = json(&run(&["ask", "How much brine does the lattice plant in Orvale treat a day?"]));
    assert_eq!(answer["generator"], "embedded");
    assert!(answer["prompt_tokens"].as_u64().unwrap() > 100, "{answer}");
    assert_eq!(answer["abstained"], answer["citations"].as_array().unwrap().is_empty(), "{answer}");
    // `auto` does not take a reader unasked.
    let auto = json(
        &sectora_writing(dir.path(), "auto")
            .args(["--json", "ask", "How much brine does the plant treat?"])
            .output()
            .unwrap(),
    );
    assert_eq!(auto["generator"], "extractive");
}

/// Question and words that answer, over two notes; the answer is the words alone, their source the whole sentence.
#[test]
fn the_span_reader_answers_with_the_words_of_the_sentence_that_it_cites() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    let ferry = "# The Orvale ferry\n\nThe Orvale ferry was christened by the harbour master Ida Morrow in June 1994. It was built in Tarn \
                 because the yard at Orvale had burnt down. The hull of the ferry is made of larch.\n";
    let kiln = "# 다람요업의 소성로\n\n다람요업의 소성로는 도예가 한서율이 1998년 이천에 지었다. 소성로의 최고 온도는 1,280 °C이다. \
                소성로는 폐목재를 때서 데운다.\n";
    std::fs::write(notes.join("ferry.md"), ferry).unwrap();
    std::fs::write(notes.join("kiln.md"), kiln).unwrap();
    let run = |arguments: &[&str]| sectora_writing(dir.path(), "span").arg("--json").args(arguments).output().unwrap();
    assert_eq!(code(&run(&["ingest", notes.to_str().unwrap()])), 0);
    let mut right = 0;
    for (question, words) in [
        ("Who christened the Orvale ferry?", "Ida Morrow"),
        ("What is the hull of the Orvale ferry made of?", "larch"),
        ("Why was the Orvale ferry built in Tarn?", "the yard at Orvale had burnt down"),
        ("다람요업의 소성로는 누가 지었는가?", "한서율"),
        ("다람요업 소성로의 최고 온도는?", "1,280 °C"),
    ] {
        let answer = json(&run(&["ask", question]));
        assert_eq!(answer["generator"], "span");
        let text = answer["answer"].as_str().unwrap();
        let said = text.split(" [").next().unwrap();
        let quote = answer["citations"][0]["quote"].as_str().unwrap();
        assert!(quote.contains(said), "{text}\n{quote}");
        right += usize::from(said.ends_with(words) && said.len() < quote.len());
    }
    assert!(right >= 4, "{right} of 5");
    let answer = json(&run(&["ask", "Who won the football match in Lisbon?"]));
    assert_eq!(answer["abstained"], true, "{answer}");
}
