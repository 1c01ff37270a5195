//! How near is an answer to a reference? Exact match and F1 as SQuAD and KorQuAD define them, ROUGE-L.
//!
//! Purely of the words: a right answer in other words scores low, a wrong one in the same words high.

use std::collections::HashMap;

use crate::text::spaced;

/// Whose definition of exact match and F1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): articles and punctuation removed, F1 over words.
    Squad,
    /// KorQuAD 1.0 (Lim et al. 2019): brackets and punctuation removed, F1 over characters.
    Korquad,
}

impl Convention {
    /// The form that is compared.
    pub fn normalise(self, text: &str) -> String {
        match self {
            Convention::Squad => squad(text),
            Convention::Korquad => korquad(text),
        }
    }

    /// 1 if the forms are the same.
    pub fn exact_match(self, answer: &str, reference: &str) -> f64 {
        f64::from(u8::from(self.normalise(answer) == self.normalise(reference)))
    }

    /// Harmonic mean of precision and recall over words or characters, counted with multiplicity.
    /// Where one side is empty: 1 if both are (SQuAD 2.0), else 0.
    pub fn f1(self, answer: &str, reference: &str) -> f64 {
        let (answer, reference) = (self.normalise(answer), self.normalise(reference));
        match self {
            Convention::Squad => {
                f1(answer.split(' ').filter(|w| !w.is_empty()), reference.split(' ').filter(|w| !w.is_empty()))
            }
            Convention::Korquad => {
                f1(answer.chars().filter(|c| !c.is_whitespace()), reference.chars().filter(|c| !c.is_whitespace()))
            }
        }
    }
}

/// The best value over all references, as both conventions do; no reference is the empty answer.
pub fn best(references: &[String], score: impl Fn(&str) -> f64) -> f64 {
    references.iter().map(|r| score(r)).reduce(f64::max).unwrap_or_else(|| score(""))
}

/// ROUGE-L F1 (Lin 2004): longest common subsequence of words. Words are runs of letters and digits in
/// lower case; for English that is `rouge-score`'s tokenizer without stemming.
pub fn rouge_l(answer: &str, reference: &str) -> f64 {
    let (a, b) = (words(answer), words(reference));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let mut row = vec![0usize; b.len() + 1];
    for x in &a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    let common = row[b.len()] as f64;
    let (precision, recall) = (common / a.len() as f64, common / b.len() as f64);
    if common > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// Runs of letters and digits, in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// Answers carry `[1]` marks; references do not.
pub fn without_marks(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    let mut rest = answer;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        let inside = from[1..].find(']').map(|close| &from[1..=close]);
        match inside.filter(|i| !i.is_empty() && i.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))) {
            Some(inside) => {
                out.push_str(before.trim_end());
                rest = &from[inside.len() + 2..];
            }
            None => {
                out.push_str(before);
                out.push('[');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

fn f1<T: std::hash::Hash + Eq>(answer: impl Iterator<Item = T>, reference: impl Iterator<Item = T>) -> f64 {
    let mut counts: HashMap<T, usize> = HashMap::new();
    let mut in_reference = 0usize;
    for t in reference {
        *counts.entry(t).or_default() += 1;
        in_reference += 1;
    }
    let (mut in_answer, mut same) = (0usize, 0usize);
    for t in answer {
        in_answer += 1;
        if let Some(left) = counts.get_mut(&t).filter(|left| **left > 0) {
            *left -= 1;
            same += 1;
        }
    }
    if in_answer == 0 || in_reference == 0 {
        return f64::from(u8::from(in_answer == in_reference));
    }
    if same == 0 {
        return 0.0;
    }
    let (precision, recall) = (same as f64 / in_answer as f64, same as f64 / in_reference as f64);
    2.0 * precision * recall / (precision + recall)
}

/// Lower case, no ASCII punctuation, no articles, single spaces; in that order.
fn squad(text: &str) -> String {
    let plain: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut out = String::with_capacity(plain.len());
    let mut word = String::new();
    for c in plain.chars().chain([' ']) {
        // The official pattern is `\b(a|an|the)\b`: an article between any two non-word characters.
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        out.push_str(if matches!(word.as_str(), "a" | "an" | "the") { " " } else { &word });
        word.clear();
        out.push(c);
    }
    spaced(&out)
}

/// Quotes and brackets to blanks, lower case, no ASCII punctuation, single spaces; in that order.
fn korquad(text: &str) -> String {
    const TO_BLANK: [char; 12] = ['\'', '"', '《', '》', '<', '>', '〈', '〉', '(', ')', '‘', '’'];
    let blank: String = text.chars().map(|c| if TO_BLANK.contains(&c) { ' ' } else { c }).collect();
    let plain: String = blank.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    spaced(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squad_drops_articles_and_punctuation_and_counts_words() {
        assert_eq!(squad("The  Cat, an a-theist's  THE end."), "cat atheists end");
        assert_eq!(Convention::Squad.exact_match("The Eiffel Tower!", "eiffel tower"), 1.0);
        // 2 of 3 words, 2 of 2: F1 0.8.
        assert!((Convention::Squad.f1("big eiffel tower", "the Eiffel Tower") - 0.8).abs() < 1e-12);
        assert_eq!(Convention::Squad.f1("", ""), 1.0);
        assert_eq!(Convention::Squad.f1("", "x"), 0.0);
        assert_eq!(Convention::Squad.f1("the", "a"), 1.0);
    }

    #[test]
    fn korquad_counts_characters() {
        assert_eq!(korquad("《전해질》(고체) ‘황화물’."), "전해질 고체 황화물");
        // 노아 in 노아의: 2 of 3 characters, 2 of 2.
        assert!((Convention::Korquad.f1("노아의", "노아") - 0.8).abs() < 1e-12);
        assert_eq!(Convention::Korquad.exact_match("'노아'", "노아"), 1.0);
    }

    #[test]
    fn rouge_l_follows_the_longest_common_subsequence() {
        // "the gunman ... police" (Lin 2004): common subsequence "police the gunman" has 3 of 4 words.
        assert!((rouge_l("police kill the gunman", "police killed the gunman") - 0.75).abs() < 1e-12);
        assert!((rouge_l("the gunman kill police", "police killed the gunman") - 0.5).abs() < 1e-12);
        assert_eq!(rouge_l("", "x"), 0.0);
    }

    #[test]
    fn marks_are_taken_off_and_other_brackets_kept() {
        assert_eq!(without_marks("A is 3 [1][2, 3]. B [x] c [4]"), "A is 3. B [x] c");
    }

    #[test]
    fn the_best_reference_counts_and_none_means_nothing_should_be_said() {
        let references = ["aa".to_owned(), "b".to_owned()];
        assert_eq!(best(&references, |r| Convention::Squad.f1("b", r)), 1.0);
        assert_eq!(best(&[], |r| Convention::Squad.f1("b", r)), 0.0);
        assert_eq!(best(&[], |r| Convention::Squad.f1("", r)), 1.0);
    }
}
