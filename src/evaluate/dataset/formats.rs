//! One function a format: file in, documents and questions out. What is not there is an error with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::EvaluateError;
use super::{Gold, Question, Source, python};
use crate::document::{Access, Language};
use crate::generate::{Message, Role};

type Read = Result<(Vec<Source>, Vec<Question>), EvaluateError>;

/// SQuAD JSON (`data[].paragraphs[].qas[]`), or JSON lines `{paragraph, question, answer}` in which the
/// paragraph is text or a Python literal and "No answer" stands for none.
pub(super) fn squad(path: &Path) -> Read {
    let text = text_of(path)?;
    match serde_json::from_str::<Squad>(&text) {
        Ok(squad) => Ok(official(squad)),
        Err(error) if is_official(&text) => Err(wrong(path, &error.to_string())),
        Err(_) => squad_lines(path, &text),
    }
}

/// True for what is SQuAD's own JSON, whole or not, so that what it lacks is said of it and not of a line.
fn is_official(text: &str) -> bool {
    let first = text.trim_start().strip_prefix('{').map_or("", str::trim_start);
    let begins = first.starts_with("\"data\"") || first.starts_with("\"version\"");
    begins || serde_json::from_str::<Value>(text).is_ok_and(|whole| whole.get("data").is_some())
}

/// KorQuAD's official JSON, or a BEIR folder whose queries carry `answers`.
pub(super) fn korquad(path: &Path) -> Read {
    if !path.is_dir() {
        let text = text_of(path)?;
        return Ok(official(serde_json::from_str(&text).map_err(|e| wrong(path, &e.to_string()))?));
    }
    let data = super::super::beir::open(path, None)?;
    let mut documents = Vec::new();
    lines(&data.corpus, &mut |_, row: Value| {
        documents.push(Source {
            id: string(&row, "_id"),
            title: string(&row, "title"),
            text: string(&row, "text"),
            ..Source::default()
        });
        Ok(())
    })?;
    let mut questions = Vec::new();
    lines(&path.join("queries.jsonl"), &mut |_, row: Value| {
        let id = string(&row, "_id");
        if let Some(judged) = data.qrels.get(&id) {
            let gold =
                judged.iter().filter(|(_, g)| **g > 0).map(|(d, _)| Gold { document: d.clone(), ..Gold::default() });
            let answers = strings(&row, "answers");
            if answers.is_empty() {
                return Err("the query has no `answers`".into());
            }
            questions.push(Question { gold: gold.collect(), ..question(id, string(&row, "text"), answers) });
        }
        Ok(())
    })?;
    Ok((documents, questions))
}

/// MT-RAG generation tasks: the contexts of all tasks together are the documents.
pub(super) fn mtrag(path: &Path) -> Read {
    let mut documents = Documents::default();
    let mut questions = Vec::new();
    lines(path, &mut |_, row: Value| {
        let turns: Vec<Message> = list(&row, "input").iter().filter_map(turn).collect();
        let Some((last, history)) = turns.split_last() else { return Err("`input` has no turn".into()) };
        let class = strings(&row, "answerability")
            .first()
            .or(strings(&row, "Answerability").first())
            .cloned()
            .unwrap_or_default();
        let gold: Vec<Gold> = list(&row, "contexts")
            .iter()
            .map(|c| Gold {
                document: documents.add(&string(c, "document_id"), &string(c, "title"), &string(c, "text")),
                ..Gold::default()
            })
            .collect();
        let target = list(&row, "targets").first().map(|t| string(t, "text")).filter(|t| !t.is_empty());
        questions.push(Question {
            id: string(&row, "task_id"),
            language: Language::detect(&last.content),
            text: last.content.clone(),
            history: history.to_vec(),
            kind: class.to_lowercase(),
            answerable: match class.as_str() {
                "ANSWERABLE" => Some(true),
                "UNANSWERABLE" => Some(false),
                _ => None,
            },
            long_answer: target,
            gold,
            ..Question::default()
        });
        Ok(())
    })?;
    Ok((documents.all, questions))
}

/// What stands under `a`, or under `b` where that is empty.
fn either(row: &Value, a: &str, b: &str) -> String {
    Some(string(row, a)).filter(|s| !s.is_empty()).unwrap_or_else(|| string(row, b))
}

/// PubMedQA: JSON lines with `id` or `pubid`, `question, contexts, answer, long_answer`, or the official JSON object by PMID.
pub(super) fn pubmedqa(path: &Path) -> Read {
    let mut rows: Vec<(String, Value)> = Vec::new();
    let text = text_of(path)?;
    match serde_json::from_str::<BTreeMap<String, Value>>(&text) {
        Ok(all) if all.values().all(Value::is_object) => rows.extend(all),
        _ => lines(path, &mut |_, row: Value| {
            let id = either(&row, "id", "pubid");
            if id.is_empty() {
                return Err("neither `id` nor `pubid`".into());
            }
            rows.push((id, row));
            Ok(())
        })?,
    }
    let mut documents = Vec::new();
    let mut questions = Vec::new();
    for (id, row) in rows {
        let contexts = [strings(&row, "contexts"), strings(&row, "CONTEXTS")].concat();
        documents.push(Source {
            id: id.clone(),
            title: String::new(),
            text: contexts.join("\n\n"),
            ..Source::default()
        });
        let decision = either(&row, "answer", "final_decision");
        questions.push(Question {
            kind: decision.clone(),
            decision: Some(decision).filter(|d| !d.is_empty()),
            long_answer: Some(either(&row, "long_answer", "LONG_ANSWER")).filter(|a| !a.is_empty()),
            gold: vec![Gold { document: id.clone(), ..Gold::default() }],
            answerable: Some(true),
            ..question(id, either(&row, "question", "QUESTION"), Vec::new())
        });
    }
    Ok((documents, questions))
}

/// ALCE: `[{question, answer, docs: [{title, text}], qa_pairs: [{short_answers}]}]`.
pub(super) fn alce(path: &Path) -> Read {
    let rows: Vec<Value> = json(path)?;
    let mut documents = Documents::default();
    let questions = rows.iter().enumerate().map(|(i, row)| {
        for (j, d) in list(row, "docs").iter().enumerate() {
            let id = Some(string(d, "id")).filter(|s| !s.is_empty()).unwrap_or_else(|| format!("{i}-{j}"));
            documents.add(&id, &string(d, "title"), &string(d, "text"));
        }
        let short = list(row, "qa_pairs").iter().flat_map(|p| strings(p, "short_answers")).collect();
        let id = Some(string(row, "sample_id")).filter(|s| !s.is_empty()).unwrap_or_else(|| i.to_string());
        let long_answer = Some(string(row, "answer")).filter(|a| !a.is_empty());
        Question { long_answer, answerable: Some(true), ..question(id, string(row, "question"), short) }
    });
    let questions = questions.collect();
    Ok((documents.all, questions))
}

/// RAGChecker: `{results: [{query_id, query, gt_answer, retrieved_context: [{doc_id, text}]}]}`.
pub(super) fn ragchecker(path: &Path) -> Read {
    let whole: Value = json(path)?;
    let mut documents = Documents::default();
    let questions = list(&whole, "results").iter().map(|row| {
        for d in list(row, "retrieved_context") {
            documents.add(&string(d, "doc_id"), "", &string(d, "text"));
        }
        let long_answer = Some(string(row, "gt_answer")).filter(|a| !a.is_empty());
        Question {
            long_answer,
            answerable: Some(true),
            ..question(string(row, "query_id"), string(row, "query"), Vec::new())
        }
    });
    let questions = questions.collect();
    Ok((documents.all, questions))
}

/// Our own: see `eval/README.md`.
pub(super) fn questions(path: &Path) -> Result<Vec<Question>, EvaluateError> {
    let mut out = Vec::new();
    lines(path, &mut |_, row: Own| {
        // Whoever asks is a public reader: what only an internal document answers must stay unanswered.
        let hidden = row.access != Access::Public;
        out.push(Question {
            id: row.id,
            language: row.language.unwrap_or_else(|| Language::detect(&row.question)),
            text: row.question,
            kind: if hidden { "not cleared".into() } else { row.kind },
            answerable: Some(row.answerable && !hidden),
            answers: Some(row.answer).filter(|a| !a.is_empty() && row.answerable && !hidden).into_iter().collect(),
            must_include: row.must_include,
            gold: row.gold,
            access: row.access,
            without: row.without,
            ..Question::default()
        });
        Ok(())
    })?;
    Ok(out)
}

/// One line of our own format.
#[derive(Deserialize)]
struct Own {
    id: String,
    question: String,
    #[serde(default)]
    language: Option<Language>,
    answerable: bool,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    must_include: Vec<String>,
    #[serde(default)]
    gold: Vec<Gold>,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Qa>,
}

#[derive(Deserialize)]
struct Qa {
    id: Value,
    question: String,
    #[serde(default)]
    answers: Vec<SquadAnswer>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct SquadAnswer {
    text: String,
}

fn official(squad: Squad) -> (Vec<Source>, Vec<Question>) {
    let mut documents = Documents::default();
    let mut questions = Vec::new();
    for (i, article) in squad.data.into_iter().enumerate() {
        for (j, paragraph) in article.paragraphs.into_iter().enumerate() {
            let document = documents.add(&format!("{i}-{j}"), &article.title, &paragraph.context);
            for qa in paragraph.qas {
                let id = qa.id.as_str().map_or_else(|| qa.id.to_string(), str::to_owned);
                let answers =
                    if qa.is_impossible { Vec::new() } else { qa.answers.into_iter().map(|a| a.text).collect() };
                let gold = vec![Gold { document: document.clone(), ..Gold::default() }];
                questions.push(Question { gold, ..question(id, qa.question, answers) });
            }
        }
    }
    (documents.all, questions)
}

fn squad_lines(path: &Path, text: &str) -> Read {
    let mut documents = Documents::default();
    let mut questions = Vec::new();
    each_line(path, text, &mut |i, row: Value| {
        let (Some(paragraph), Some(asked)) = (row["paragraph"].as_str(), row["question"].as_str()) else {
            return Err("neither SQuAD JSON nor a line with `paragraph` and `question`".into());
        };
        let (title, body) = unwrapped(paragraph);
        let id = documents.add(&format!("p{i}"), &title, &body);
        let answer = string(&row, "answer");
        let answers = if answer.is_empty() || answer == "No answer" { Vec::new() } else { vec![answer] };
        let gold = vec![Gold { document: id, ..Gold::default() }];
        questions.push(Question { gold, ..question(i.to_string(), asked.to_owned(), answers) });
        Ok(())
    })?;
    Ok((documents.all, questions))
}

/// `"[{'title': …, 'paragraph_text': "['…']"}]"` to title and text; other text stands for itself.
fn unwrapped(paragraph: &str) -> (String, String) {
    let Some(Value::Array(parts)) = python::literal(paragraph) else { return (String::new(), paragraph.to_owned()) };
    let title = parts.first().map(|p| string(p, "title")).unwrap_or_default();
    let text = parts.iter().map(|p| {
        let text = string(p, "paragraph_text");
        match python::literal(&text) {
            Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            _ => text,
        }
    });
    (title, text.collect::<Vec<_>>().join("\n\n"))
}

/// Documents without repeats: the same text keeps its first id.
#[derive(Default)]
struct Documents {
    all: Vec<Source>,
    by_text: BTreeMap<String, String>,
    ids: BTreeSet<String>,
}

impl Documents {
    fn add(&mut self, id: &str, title: &str, text: &str) -> String {
        if let Some(id) = self.by_text.get(text) {
            return id.clone();
        }
        let mut own = id.to_owned();
        // One id for two texts would make one of them vanish.
        while !self.ids.insert(own.clone()) {
            own.push('+');
        }
        self.by_text.insert(text.to_owned(), own.clone());
        self.all.push(Source {
            id: own.clone(),
            title: title.replace('_', " "),
            text: text.to_owned(),
            ..Source::default()
        });
        own
    }
}

fn question(id: String, text: String, answers: Vec<String>) -> Question {
    let answerable = !answers.is_empty();
    Question {
        id,
        language: Language::detect(&text),
        text,
        kind: if answerable { "answerable".into() } else { "unanswerable".into() },
        answerable: Some(answerable),
        answers,
        ..Question::default()
    }
}

fn turn(value: &Value) -> Option<Message> {
    let content = string(value, "text");
    let role = match value["speaker"].as_str()? {
        "user" => Role::User,
        _ => Role::Assistant,
    };
    Some(Message { role, content }).filter(|m| !m.content.is_empty())
}

fn string(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        _ => String::new(),
    }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, EvaluateError> {
    serde_json::from_str(&text_of(path)?).map_err(|e| wrong(path, &e.to_string()))
}

fn lines<T: for<'de> Deserialize<'de>>(
    path: &Path,
    each: &mut dyn FnMut(usize, T) -> Result<(), String>,
) -> Result<(), EvaluateError> {
    each_line(path, &text_of(path)?, each)
}

fn each_line<T: for<'de> Deserialize<'de>>(
    path: &Path,
    text: &str,
    each: &mut dyn FnMut(usize, T) -> Result<(), String>,
) -> Result<(), EvaluateError> {
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let row = serde_json::from_str(line).map_err(|e| wrong(path, &format!("line {}: {e}", i + 1)))?;
        each(i, row).map_err(|e| wrong(path, &format!("line {}: {e}", i + 1)))?;
    }
    Ok(())
}

/// The file's text, without the byte order mark that some programs put before it.
fn text_of(path: &Path) -> Result<String, EvaluateError> {
    let bytes = fs_err::read(path)?;
    let text = String::from_utf8(bytes).map_err(|e| wrong(path, &format!("not UTF-8: {}", e.utf8_error())))?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

fn wrong(path: &Path, what: &str) -> EvaluateError {
    EvaluateError::Dataset { path: path.display().to_string(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn official_squad_is_read_with_its_unanswerable_questions() {
        let text = r#"{"version": "v2.0", "data": [{"title": "A_B", "paragraphs": [{"context": "X is 3.", "qas": [
            {"id": "q1", "question": "What is X?", "answers": [{"text": "3", "answer_start": 5}], "is_impossible": false},
            {"id": 7, "question": "What is Y?", "answers": [], "is_impossible": true}]}]}]}"#;
        let (documents, questions) = squad(file(text).path()).unwrap();
        assert_eq!((documents.len(), documents[0].title.as_str()), (1, "A B"));
        assert_eq!((questions[0].answerable, questions[1].answerable), (Some(true), Some(false)));
        assert_eq!((questions[1].id.as_str(), &questions[0].gold[0].document), ("7", &documents[0].id));
    }

    #[test]
    fn official_squad_that_lacks_a_field_says_which() {
        let whole = r#"{"version": "v2.0", "data": [{"paragraphs": [{"context": "X is 3.", "qas": [{"id": "q1"}]}]}]}"#;
        let other = r#"{"notes": 1, "data": [{"title": "A"}]}"#;
        for (text, expected) in [(whole, "missing field `question`"), (other, "missing field `paragraphs`")] {
            let said = squad(file(text).path()).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
        let said = squad(file(r#"{"question": "Q?"}"#).path()).unwrap_err().to_string();
        assert!(said.contains("line 1: neither SQuAD JSON nor a line"), "{said}");
    }

    #[test]
    fn squad_lines_with_python_inside_are_read() {
        let paragraph = r#"[{'idx': 0, 'title': 'T', 'paragraph_text': '[\'It\\\'s 3.\']', 'is_supporting': True}]"#;
        let line =
            |q: &str, a: &str| serde_json::json!({"paragraph": paragraph, "question": q, "answer": a}).to_string();
        let (documents, questions) =
            squad(file(&[line("a?", "3"), line("b?", "No answer")].join("\n")).path()).unwrap();
        assert_eq!((documents.len(), documents[0].text.as_str(), documents[0].title.as_str()), (1, "It's 3.", "T"));
        assert_eq!(questions[1].answerable, Some(false));
    }

    #[test]
    fn conversations_keep_their_turns_and_their_class() {
        let line = r#"{"task_id": "t", "contexts": [{"document_id": "d", "text": "x"}], "answerability": ["UNANSWERABLE"],
            "input": [{"speaker": "user", "text": "Hi"}, {"speaker": "agent", "text": "Yes?"}, {"speaker": "user", "text": "And y?"}],
            "targets": [{"speaker": "agent", "text": "No."}]}"#;
        let (_, questions) = mtrag(file(&line.replace('\n', " ")).path()).unwrap();
        let q = &questions[0];
        assert_eq!(
            (q.text.as_str(), q.history.len(), q.answerable, q.kind.as_str()),
            ("And y?", 2, Some(false), "unanswerable")
        );
        assert_eq!(q.long_answer.as_deref(), Some("No."));
    }

    #[test]
    fn both_forms_of_pubmedqa_alce_and_ragchecker_are_read() {
        let lines = r#"{"id": "1", "question": "Q?", "contexts": ["a", "b"], "answer": "yes", "long_answer": "L"}"#;
        let official =
            r#"{"1": {"QUESTION": "Q?", "CONTEXTS": ["a", "b"], "final_decision": "yes", "LONG_ANSWER": "L"}}"#;
        assert_eq!(pubmedqa(file(lines).path()).unwrap(), pubmedqa(file(official).path()).unwrap());
        let by_pmid = r#"{"pubid": 7, "question": "Q?", "contexts": ["a"], "answer": "yes"}"#;
        let (documents, questions) = pubmedqa(file(by_pmid).path()).unwrap();
        assert_eq!((documents[0].id.as_str(), questions[0].id.as_str()), ("7", "7"));
        assert_eq!(questions[0].gold[0].document, "7");
        let text = r#"[{"question": "Q?", "answer": "A", "docs": [{"title": "t", "text": "x"}], "qa_pairs": [{"short_answers": ["s"]}]}]"#;
        let (documents, questions) = alce(file(text).path()).unwrap();
        assert_eq!((documents.len(), questions[0].answers[0].as_str()), (1, "s"));
        let text = r#"{"results": [{"query_id": "0", "query": "Q?", "gt_answer": "A", "retrieved_context": [{"doc_id": "d", "text": "x"}]}]}"#;
        assert_eq!(ragchecker(file(text).path()).unwrap().1[0].long_answer.as_deref(), Some("A"));
    }

    #[test]
    fn a_question_about_a_document_one_may_not_see_must_stay_unanswered() {
        let line =
            r#"{"id": "1", "question": "Q?", "answerable": true, "type": "fact", "answer": "A", "access": "internal"}"#;
        let all = questions(file(line).path()).unwrap();
        assert_eq!((all[0].answerable, all[0].kind.as_str()), (Some(false), "not cleared"));
        assert!(questions(file("{}").path()).unwrap_err().to_string().contains("line 1"));
    }
}
