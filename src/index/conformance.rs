//! What every [`VectorStore`] must do, as functions that each store's tests call.
//!
//! They panic with the broken promise; compiled for tests only.

use super::{Condition, Filter, Mode, Payload, Point, Query, VectorStore, Vectors};
use crate::text::bm25::SparseVector;

/// Dense dimension the checks use.
pub(super) const DIM: usize = 4;
/// Which vectors the checked stores keep: of words alone, of an encoder, of one that weighs tokens.
pub(super) const KINDS: [Vectors; 3] =
    [Vectors { dim: 0, learned: false }, Vectors { dim: DIM, learned: false }, Vectors { dim: DIM, learned: true }];

/// A point with a sparse vector and, if `dense` is given, a dense one; facts derive from its id.
pub(super) fn point(id: u64, sparse: &[(u32, f32)], dense: Option<[f32; DIM]>) -> Point {
    let (indices, values) = sparse.iter().copied().unzip();
    Point {
        id,
        dense: dense.map(|d| d.to_vec()),
        sparse: SparseVector { indices, values },
        learned: None,
        payload: Payload {
            sector: "test".into(),
            doc_id: format!("d{}", id / 2),
            institution: id.is_multiple_of(2).then(|| "가온 연구원".into()),
            year: Some(2000 + id as i64),
            doc_type: Some("report".into()),
            language: "ko".into(),
            access: if id.is_multiple_of(3) { "internal" } else { "public" }.into(),
        },
    }
}

/// Every check, on a new store. (IDF first: a store may count deleted points until it is optimised.)
pub(super) fn all(store: &dyn VectorStore, kept: Vectors) {
    let dim = kept.dim;
    sparse_ranking_uses_idf(store, dim);
    insert_replace_delete(store, dim);
    a_batch_finds_what_each_search_finds(store, dim);
    ties_come_by_ascending_id(store, dim);
    filters(store, dim);
    pages(store, dim);
    if dim > 0 {
        hybrid_without_a_known_term_is_dense(store);
        hybrid_is_reciprocal_rank_fusion(store);
    }
    if kept.learned {
        learned_weights_are_compared_as_they_are(store);
        learned_weights_are_a_third_side_of_a_fusion(store);
    }
}

fn clear(store: &dyn VectorStore) {
    let ids = store.ids(None, 10_000).unwrap();
    store.delete(&ids).unwrap();
    assert_eq!(store.count(None).unwrap(), 0, "deleted everything");
}

fn vector(dim: usize, i: usize) -> Option<[f32; DIM]> {
    (dim > 0).then(|| {
        let mut v = [0.0; DIM];
        v[i % DIM] = 1.0;
        v
    })
}

fn sparse(terms: &[u32]) -> Mode {
    Mode::Sparse(SparseVector { indices: terms.to_vec(), values: vec![1.0; terms.len()] })
}

fn found(store: &dyn VectorStore, mode: Mode, filter: Option<Filter>, limit: usize) -> Vec<u64> {
    store.query(&Query { mode, filter, limit, exact: true }).unwrap().iter().map(|h| h.id).collect()
}

fn insert_replace_delete(store: &dyn VectorStore, dim: usize) {
    clear(store);
    store.upsert(vec![point(1, &[(5, 1.0)], vector(dim, 0)), point(2, &[(6, 1.0)], vector(dim, 1))]).unwrap();
    assert_eq!(store.count(None).unwrap(), 2);
    store.upsert(vec![point(1, &[(6, 2.0)], vector(dim, 0))]).unwrap();
    assert_eq!(store.count(None).unwrap(), 2, "the same id replaces");
    assert_eq!(found(store, sparse(&[5]), None, 10), Vec::<u64>::new(), "the old vector has gone");
    assert_eq!(found(store, sparse(&[6]), None, 10), [1, 2]);
    store.delete(&[1, 99]).unwrap();
    assert_eq!(found(store, sparse(&[6]), None, 10), [2], "an unknown id is ignored");
    store.upsert(Vec::new()).unwrap();
    store.delete(&[]).unwrap();
    assert_eq!(found(store, sparse(&[]), None, 10), Vec::<u64>::new(), "no terms find nothing");
}

fn sparse_ranking_uses_idf(store: &dyn VectorStore, dim: usize) {
    clear(store);
    // Term 1 is in every point, term 2 in one: the rare one decides although its value is smaller.
    let mut points: Vec<Point> = (10..19).map(|id| point(id, &[(1, 1.0)], vector(dim, 0))).collect();
    points.push(point(19, &[(1, 0.1), (2, 0.9)], vector(dim, 0)));
    store.upsert(points).unwrap();
    assert_eq!(found(store, sparse(&[1, 2]), None, 1), [19]);
    let hits = store.query(&Query { mode: sparse(&[2]), filter: None, limit: 1, exact: true }).unwrap();
    let idf = (1.0f32 + (10.0 - 1.0 + 0.5) / (1.0 + 0.5)).ln();
    assert!((hits[0].score - 0.9 * idf).abs() < 1e-3, "score {} is value times IDF {}", hits[0].score, 0.9 * idf);
}

fn ties_come_by_ascending_id(store: &dyn VectorStore, dim: usize) {
    clear(store);
    store.upsert([9u64, 3, 7, 5].into_iter().map(|id| point(id, &[(1, 1.0)], vector(dim, 0))).collect()).unwrap();
    assert_eq!(found(store, sparse(&[1]), None, 3), [3, 5, 7]);
}

fn a_batch_finds_what_each_search_finds(store: &dyn VectorStore, dim: usize) {
    clear(store);
    store.upsert((1..=9).map(|id| point(id, &[(id as u32 % 3, 1.0)], vector(dim, id as usize))).collect()).unwrap();
    let query = |mode, filter| Query { mode, filter, limit: 4, exact: true };
    let mut queries = vec![
        query(sparse(&[1]), None),
        query(sparse(&[]), None),
        query(sparse(&[2, 0]), Some(Filter::default().years(Some(2005), None))),
        query(sparse(&[77]), None),
    ];
    queries.extend(vector(dim, 3).map(|v| query(Mode::Dense(v.to_vec()), None)));
    let alone: Vec<Vec<super::Hit>> = queries.iter().map(|q| store.query(q).unwrap()).collect();
    assert!(alone.iter().filter(|hits| !hits.is_empty()).count() >= 2);
    assert_eq!(store.query_batch(&queries).unwrap(), alone);
    assert!(store.query_batch(&[]).unwrap().is_empty());
    assert_eq!(store.query_batch(&[query(sparse(&[]), None)]).unwrap(), [Vec::new()]);
}

fn filters(store: &dyn VectorStore, dim: usize) {
    clear(store);
    store.upsert((1..=9).map(|id| point(id, &[(1, 1.0)], vector(dim, 0))).collect()).unwrap();
    let check = |filter: Filter, expected: &[u64]| {
        assert_eq!(found(store, sparse(&[1]), Some(filter.clone()), 20), expected);
        assert_eq!(store.count(Some(&filter)).unwrap(), expected.len() as u64);
    };
    check(Filter::default().institutions(&["가온 연구원".into()]), &[2, 4, 6, 8]);
    check(Filter::default().years(Some(2004), Some(2006)), &[4, 5, 6]);
    check(Filter::default().years(Some(2008), None), &[8, 9]);
    check(Filter::default().access_up_to(crate::document::Access::Public), &[1, 2, 4, 5, 7, 8]);
    check(Filter::default().sector("other"), &[]);
    check(Filter { all: vec![Condition::AnyOf("doc_id", vec!["d1".into(), "d4".into()])] }, &[2, 3, 8, 9]);
    let facet = store.facet("access", None).unwrap();
    assert_eq!(facet, [("public".to_owned(), 6), ("internal".to_owned(), 3)]);
}

fn pages(store: &dyn VectorStore, dim: usize) {
    clear(store);
    store.upsert((1..=25).map(|id| point(id * 1_000_000_007, &[(1, 1.0)], vector(dim, 0))).collect()).unwrap();
    let mut all = Vec::new();
    while let Some(page) = Some(store.ids(all.last().copied(), 10).unwrap()).filter(|p| !p.is_empty()) {
        all.extend(page);
    }
    assert_eq!(all, (1..=25).map(|id| id * 1_000_000_007).collect::<Vec<u64>>());
}

fn hybrid_without_a_known_term_is_dense(store: &dyn VectorStore) {
    clear(store);
    store.upsert((0..4).map(|id| point(id, &[(1, 1.0)], vector(DIM, id as usize))).collect()).unwrap();
    let mode = Mode::Hybrid {
        dense: vec![0.1, 0.2, 0.9, 0.3],
        sparse: SparseVector::default(),
        learned: None,
        k: 60,
        weights: [1.0; 3],
        prefetch: 10,
    };
    assert_eq!(found(store, mode, None, 2), [2, 3]);
}

fn hybrid_is_reciprocal_rank_fusion(store: &dyn VectorStore) {
    clear(store);
    let dense = |x: f32, y: f32| Some([x, y, 0.0, 0.0]);
    store
        .upsert(vec![
            point(1, &[(1, 3.0)], dense(0.1, 1.0)),
            point(2, &[(1, 2.0)], dense(0.9, 0.4)),
            point(3, &[(1, 1.0)], dense(1.0, 0.0)),
        ])
        .unwrap();
    let query = Query {
        mode: Mode::Hybrid {
            dense: vec![1.0, 0.0, 0.0, 0.0],
            sparse: SparseVector { indices: vec![1], values: vec![1.0] },
            learned: None,
            k: 10,
            weights: [1.0, 2.0, 1.0],
            prefetch: 10,
        },
        filter: None,
        limit: 3,
        exact: true,
    };
    let hits = store.query(&query).unwrap();
    // Dense order 3, 2, 1; sparse order 1, 2, 3, at double weight.
    let score = |dense_rank: f32, sparse_rank: f32| 1.0 / (9.0 + dense_rank) + 1.0 / (9.0 + sparse_rank / 2.0);
    let expected = [(3, score(1.0, 3.0)), (2, score(2.0, 2.0)), (1, score(3.0, 1.0))];
    for (hit, (id, score)) in hits.iter().zip(expected) {
        assert_eq!(hit.id, id);
        assert!((hit.score - score).abs() < 1e-6, "{} is {score}", hit.score);
    }
    assert_eq!(hits.len(), 3);
}

fn learnt(id: u64, dense: [f32; DIM], terms: &[(u32, f32)]) -> Point {
    let (indices, values) = terms.iter().copied().unzip();
    let learned = Some(SparseVector { indices, values }).filter(|v: &SparseVector| !v.indices.is_empty());
    Point { learned, ..point(id, &[(1, 1.0)], Some(dense)) }
}

fn learned_weights_are_compared_as_they_are(store: &dyn VectorStore) {
    clear(store);
    // Token 7 is in every point but the last, which has no weights: with IDF it would count for next to nothing.
    let mut points: Vec<Point> = (1..=9).map(|id| learnt(id, [1.0, 0.0, 0.0, 0.0], &[(7, id as f32)])).collect();
    points[0] = learnt(1, [1.0, 0.0, 0.0, 0.0], &[(7, 1.0), (8, 2.0)]);
    points.push(learnt(10, [1.0, 0.0, 0.0, 0.0], &[]));
    store.upsert(points).unwrap();
    let mode = Mode::Learned(SparseVector { indices: vec![7, 8], values: vec![0.5, 2.0] });
    let hits = store.query(&Query { mode: mode.clone(), filter: None, limit: 3, exact: true }).unwrap();
    let (ids, scores): (Vec<u64>, Vec<f32>) = hits.iter().map(|h| (h.id, h.score)).unzip();
    assert_eq!(ids, [1, 9, 8], "inner product, {scores:?}");
    for (score, wanted) in scores.iter().zip([4.5, 4.5, 4.0]) {
        assert!((score - wanted).abs() < 1e-5, "{score} is {wanted}");
    }
    assert_eq!(found(store, mode.clone(), None, 20).len(), 9, "what has no weights is not found by them");
    let filter = Filter::default().years(Some(2003), Some(2004));
    assert_eq!(found(store, mode, Some(filter), 20), [4, 3]);
    assert_eq!(found(store, Mode::Learned(SparseVector::default()), None, 20), Vec::<u64>::new());
    assert_eq!(found(store, sparse(&[1]), None, 20).len(), 10, "the words are another vector");
}

fn learned_weights_are_a_third_side_of_a_fusion(store: &dyn VectorStore) {
    clear(store);
    store
        .upsert(vec![
            learnt(1, [0.1, 1.0, 0.0, 0.0], &[(7, 2.0)]),
            learnt(2, [0.9, 0.4, 0.0, 0.0], &[(7, 3.0)]),
            learnt(3, [1.0, 0.0, 0.0, 0.0], &[(7, 1.0)]),
        ])
        .unwrap();
    // Dense order 3, 2, 1; learned order 2, 1, 3, at a fifth of the weight; no terms.
    let mode = |learned: Option<SparseVector>| Mode::Hybrid {
        dense: vec![1.0, 0.0, 0.0, 0.0],
        sparse: SparseVector::default(),
        learned,
        k: 10,
        weights: [1.0, 5.0, 0.2],
        prefetch: 10,
    };
    let with = mode(Some(SparseVector { indices: vec![7], values: vec![1.0] }));
    let hits = store.query(&Query { mode: with, filter: None, limit: 3, exact: true }).unwrap();
    let score = |dense_rank: f32, learned_rank: f32| 1.0 / (9.0 + dense_rank) + 1.0 / (9.0 + learned_rank / 0.2);
    let expected = [(2, score(2.0, 1.0)), (3, score(1.0, 3.0)), (1, score(3.0, 2.0))];
    for (hit, (id, score)) in hits.iter().zip(expected) {
        assert_eq!(hit.id, id, "{hits:?}");
        assert!((hit.score - score).abs() < 1e-6, "{} is {score}", hit.score);
    }
    assert_eq!(hits.len(), 3);
    assert_eq!(found(store, mode(None), None, 3), [3, 2, 1], "without it the vectors decide");
    assert_eq!(found(store, mode(Some(SparseVector::default())), None, 3), [3, 2, 1], "nor does an empty one");
}
