//! TREC files: runs (`qid Q0 docid rank score tag`) and judgements (three columns as in BEIR, or four).

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::EvaluateError;
use super::metrics::{self, Qrels, Run};

/// Judgements: `query document grade` (BEIR) or `query 0 document grade` (TREC); a header line is passed over.
pub fn qrels(file: &Path) -> Result<Qrels, EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    let mut qrels = Qrels::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields: Vec<&str> = fields(line);
        let (query, document, grade) = match fields.as_slice() {
            [q, d, g] | [q, _, d, g] => (*q, *d, *g),
            _ => return Err(wrong(file, i, "expected query, document, grade")),
        };
        match grade.trim().parse() {
            Ok(grade) => drop(qrels.entry(query.to_owned()).or_default().insert(document.to_owned(), grade)),
            Err(_) if i == 0 => {}
            Err(_) => return Err(wrong(file, i, &format!("grade `{grade}` is not a whole number"))),
        }
    }
    if qrels.is_empty() {
        return Err(wrong(file, 0, "no judgements"));
    }
    Ok(qrels)
}

/// A run, sorted as trec_eval sorts: the rank column is not read, the score is.
pub fn read_run(file: &Path) -> Result<Run, EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    let mut run = Run::new();
    let mut seen = BTreeSet::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let fields = fields(line);
        let [query, _, document, _, score, ..] = fields.as_slice() else {
            return Err(wrong(file, i, "expected `qid Q0 docid rank score tag`"));
        };
        let score: f32 = match score.parse() {
            Ok(score) if !f32::is_nan(score) => score,
            _ => return Err(wrong(file, i, &format!("score `{score}` is not a number"))),
        };
        if !seen.insert(((*query).to_owned(), (*document).to_owned())) {
            return Err(wrong(file, i, &format!("`{document}` stands twice for query `{query}`")));
        }
        run.entry((*query).to_owned()).or_default().push(((*document).to_owned(), score));
    }
    run.values_mut().for_each(metrics::sort);
    Ok(run)
}

/// Writes a run in the order given; white space in ids, which the format cannot hold, becomes `_`.
pub fn write_run(file: &Path, run: &Run, tag: &str) -> Result<(), EvaluateError> {
    let mut out = std::io::BufWriter::new(fs_err::File::create(file)?);
    for (query, ranking) in run {
        for (i, (document, score)) in ranking.iter().enumerate() {
            writeln!(out, "{} Q0 {} {} {score} {tag}", plain(query), plain(document), i + 1)?;
        }
    }
    Ok(out.flush()?)
}

/// Tabs separate where there are any (ids may then hold spaces), else white space.
fn fields(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.trim_end().split('\t').collect() } else { line.split_whitespace().collect() }
}

fn plain(id: &str) -> String {
    id.split_whitespace().collect::<Vec<_>>().join("_")
}

fn wrong(file: &Path, line: usize, what: &str) -> EvaluateError {
    EvaluateError::Dataset { path: file.display().to_string(), what: format!("line {}: {what}", line + 1) }
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
    fn what_is_written_is_read_back() {
        let run: Run = [("q1".to_owned(), vec![("b".to_owned(), 0.1), ("a".to_owned(), 0.1)])].into();
        let there = file("");
        write_run(there.path(), &run, "tag").unwrap();
        assert_eq!(read_run(there.path()).unwrap(), run);
        assert_eq!(fs_err::read_to_string(there.path()).unwrap(), "q1 Q0 b 1 0.1 tag\nq1 Q0 a 2 0.1 tag\n");
    }

    #[test]
    fn a_run_is_ordered_by_score_whatever_its_ranks_say() {
        let run = read_run(file("1 Q0 a 1 0.5 t\n1 Q0 b 2 0.9 t\n").path()).unwrap();
        assert_eq!(run["1"][0].0, "b");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let error = |text: &str| read_run(file(text).path()).unwrap_err().to_string();
        assert!(error("1 Q0 a 1 0.5 t\n1 Q0 a 2 0.4 t\n").contains("line 2: `a` stands twice"));
        assert!(error("1 Q0 a\n").contains("line 1"));
        assert!(error("1 Q0 a 1 NaN t\n").contains("not a number"));
        assert!(qrels(file("query-id\tcorpus-id\tscore\n").path()).unwrap_err().to_string().contains("no judgements"));
    }
}
