//! Retrieval metrics as trec_eval defines them, averaged over every judged query as `trec_eval -c` does.
//!
//! A document without a judgement is not relevant; a grade above 0 is. Ties in score are broken by
//! document id, descending, as trec_eval does; scores are compared in single precision, as there. A query
//! that nothing was retrieved for, or that has no relevant document, counts 0.

use std::collections::BTreeMap;

/// A ranked list: document ids with scores.
pub type Ranking = Vec<(String, f32)>;
/// Judgements of one query: document id -> grade.
pub type Judgements = BTreeMap<String, i32>;
/// Rankings by query id.
pub type Run = BTreeMap<String, Ranking>;
/// Judgements by query id.
pub type Qrels = BTreeMap<String, Judgements>;

type Metric = fn(&Ranking, &Judgements) -> f64;

/// What is reported, by the usual names.
const METRICS: [(&str, Metric); 18] = [
    ("ndcg@5", |r, j| ndcg(r, j, 5)),
    ("ndcg@10", |r, j| ndcg(r, j, 10)),
    ("ndcg@100", |r, j| ndcg(r, j, 100)),
    ("ndcg", |r, j| ndcg(r, j, usize::MAX)),
    ("mrr", |r, j| reciprocal_rank(r, j, usize::MAX)),
    ("mrr@10", |r, j| reciprocal_rank(r, j, 10)),
    ("map", average_precision),
    ("recall@1", |r, j| recall(r, j, 1)),
    ("recall@5", |r, j| recall(r, j, 5)),
    ("recall@10", |r, j| recall(r, j, 10)),
    ("recall@20", |r, j| recall(r, j, 20)),
    ("recall@100", |r, j| recall(r, j, 100)),
    ("precision@1", |r, j| precision(r, j, 1)),
    ("precision@5", |r, j| precision(r, j, 5)),
    ("precision@10", |r, j| precision(r, j, 10)),
    ("success@1", |r, j| success(r, j, 1)),
    ("success@5", |r, j| success(r, j, 5)),
    ("success@10", |r, j| success(r, j, 10)),
];

/// Values of one query by metric.
pub type PerQuery = BTreeMap<String, BTreeMap<String, f64>>;

/// Every metric of every judged query. `run` must be sorted ([`sort`]).
pub fn per_query(run: &Run, qrels: &Qrels) -> PerQuery {
    let empty = Ranking::new();
    qrels
        .iter()
        .map(|(query, judged)| {
            let ranking = run.get(query).unwrap_or(&empty);
            (
                query.clone(),
                METRICS.iter().map(|(name, metric)| ((*name).to_owned(), metric(ranking, judged))).collect(),
            )
        })
        .collect()
}

/// The mean over queries, by metric.
pub fn means(values: &PerQuery) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (name, value) in values.values().flatten() {
        *sums.entry(name.clone()).or_default() += value;
    }
    let n = values.len().max(1) as f64;
    sums.into_iter().map(|(name, sum)| (name, sum / n)).collect()
}

/// The values of one metric in the order of the query ids.
pub fn column(values: &PerQuery, metric: &str) -> Vec<f64> {
    values.values().filter_map(|row| row.get(metric).copied()).collect()
}

/// Sorts as trec_eval reads a run: score descending, then document id descending.
pub fn sort(ranking: &mut Ranking) {
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
}

/// nDCG@k with linear gain: `sum(grade / log2(rank + 1))` over the same of the ideal ranking (Järvelin & Kekäläinen 2002).
pub fn ndcg(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    let gain = |grades: &mut dyn Iterator<Item = i32>| -> f64 {
        grades.take(k).enumerate().map(|(i, g)| f64::from(g.max(0)) / (i as f64 + 2.0).log2()).sum()
    };
    let mut ideal: Vec<i32> = judged.values().copied().collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let best = gain(&mut ideal.into_iter());
    let got = gain(&mut ranking.iter().map(|(d, _)| judged.get(d).copied().unwrap_or(0)));
    if best > 0.0 { got / best } else { 0.0 }
}

/// 1 / rank of the first relevant document within `k`, else 0.
pub fn reciprocal_rank(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    let first = ranking.iter().take(k).position(|(d, _)| is_relevant(judged, d));
    first.map_or(0.0, |i| 1.0 / (i as f64 + 1.0))
}

/// Mean of the precision at each relevant document; those not retrieved count 0.
pub fn average_precision(ranking: &Ranking, judged: &Judgements) -> f64 {
    let relevant = relevant_count(judged);
    let (mut found, mut sum) = (0.0, 0.0);
    for (i, (document, _)) in ranking.iter().enumerate() {
        if is_relevant(judged, document) {
            found += 1.0;
            sum += found / (i as f64 + 1.0);
        }
    }
    if relevant > 0.0 { sum / relevant } else { 0.0 }
}

/// Share of the relevant documents within the first `k`.
pub fn recall(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    let relevant = relevant_count(judged);
    if relevant > 0.0 { hits(ranking, judged, k) / relevant } else { 0.0 }
}

/// Share of the first `k` places that hold a relevant document.
pub fn precision(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    hits(ranking, judged, k) / k as f64
}

/// 1 if a relevant document is within the first `k`.
pub fn success(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    if hits(ranking, judged, k) > 0.0 { 1.0 } else { 0.0 }
}

fn is_relevant(judged: &Judgements, document: &str) -> bool {
    judged.get(document).is_some_and(|g| *g > 0)
}

fn relevant_count(judged: &Judgements) -> f64 {
    judged.values().filter(|g| **g > 0).count() as f64
}

fn hits(ranking: &Ranking, judged: &Judgements, k: usize) -> f64 {
    ranking.iter().take(k).filter(|(d, _)| is_relevant(judged, d)).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(ids: &[&str]) -> Ranking {
        ids.iter().enumerate().map(|(i, d)| ((*d).to_owned(), -(i as f32))).collect()
    }

    fn judged(grades: &[(&str, i32)]) -> Judgements {
        grades.iter().map(|(d, g)| ((*d).to_owned(), *g)).collect()
    }

    #[test]
    fn every_metric_agrees_with_a_ranking_worked_by_hand() {
        let r = ranking(&["x", "a", "y", "b"]);
        let j = judged(&[("a", 2), ("b", 1), ("c", 1), ("y", 0)]);
        let ideal = 2.0 + 1.0 / 3f64.log2() + 1.0 / 4f64.log2();
        let got = 2.0 / 3f64.log2() + 1.0 / 5f64.log2();
        assert!((ndcg(&r, &j, 10) - got / ideal).abs() < 1e-12);
        assert_eq!(reciprocal_rank(&r, &j, 10), 0.5);
        assert_eq!(reciprocal_rank(&r, &j, 1), 0.0);
        assert!((average_precision(&r, &j) - (0.5 + 0.5) / 3.0).abs() < 1e-12);
        assert!((recall(&r, &j, 2) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(precision(&r, &j, 10), 0.2);
        assert_eq!((success(&r, &j, 1), success(&r, &j, 2)), (0.0, 1.0));
    }

    #[test]
    fn ties_are_broken_by_document_id_descending() {
        let mut r = vec![("a".to_owned(), 1.0), ("c".to_owned(), 1.0), ("b".to_owned(), 2.0)];
        sort(&mut r);
        assert_eq!(r.iter().map(|(d, _)| d.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
    }

    #[test]
    fn queries_without_answer_or_without_relevant_documents_count_zero_as_in_trec_eval() {
        let qrels = [("1", vec![("a", 1)]), ("2", vec![("b", 1)]), ("3", vec![("c", 0)])];
        let qrels: Qrels = qrels.into_iter().map(|(q, j)| (q.to_owned(), judged(&j))).collect();
        let run = [("1".to_owned(), ranking(&["a"]))].into_iter().collect();
        let values = per_query(&run, &qrels);
        assert!((means(&values)["ndcg@10"] - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(column(&values, "success@1"), [1.0, 0.0, 0.0]);
    }
}
