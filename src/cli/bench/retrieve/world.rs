//! Points and questions that are made up; each can be made without the others.

use super::Arguments;
use crate::embed::normalise;
use crate::evaluate::statistics::Random;
use crate::index::{Payload, Point};
use crate::text::bm25::SparseVector;

/// Subjects the vectors gather around: one a hundred chunks.
const CHUNKS_A_CENTRE: usize = 100;
/// How far a vector lies from its centre, as a share of the centre's length.
const SPREAD: f32 = 0.9;
const VOCABULARY: usize = 50_000;
const TERMS_A_CHUNK: usize = 80;
const TERMS_A_QUERY: usize = 6;
const INSTITUTIONS: usize = 10;

/// What the made-up points are drawn from.
pub(super) struct World {
    seed: u64,
    dim: usize,
    centres: Vec<Vec<f32>>,
    /// Cumulative Zipf weights of the vocabulary.
    zipf: Vec<f64>,
}

pub(super) struct Asked {
    pub(super) dense: Vec<f32>,
    pub(super) sparse: SparseVector,
}

impl World {
    pub(super) fn new(arguments: &Arguments) -> World {
        let mut random = Random::new(arguments.seed);
        let centres = (0..arguments.chunks.div_ceil(CHUNKS_A_CENTRE)).map(|_| gaussian(&mut random, arguments.dim));
        let mut total = 0.0;
        let zipf = (0..VOCABULARY).map(|rank| {
            total += 1.0 / (rank as f64 + 10.0);
            total
        });
        World { seed: arguments.seed, dim: arguments.dim, centres: centres.collect(), zipf: zipf.collect() }
    }

    pub(super) fn random(&self, i: usize) -> Random {
        Random::new(self.seed ^ (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// Near a centre, with as much noise as [`SPREAD`] says.
    pub(super) fn dense(&self, random: &mut Random) -> Vec<f32> {
        let centre = &self.centres[random.below(self.centres.len())];
        let noise = gaussian(random, self.dim);
        let mut vector: Vec<f32> = centre.iter().zip(noise).map(|(c, n)| c + SPREAD * n).collect();
        normalise(&mut vector);
        vector
    }

    fn term(&self, random: &mut Random) -> u32 {
        let all = self.zipf.last().copied().unwrap_or(1.0);
        let at = unit_interval(random) * all;
        self.zipf.partition_point(|c| *c < at).min(VOCABULARY - 1) as u32
    }

    pub(super) fn point(&self, i: usize) -> Point {
        let mut random = self.random(i);
        let dense = self.dense(&mut random);
        let terms = (0..TERMS_A_CHUNK).map(|_| self.term(&mut random)).collect();
        let payload = Payload {
            sector: "bench".into(),
            doc_id: format!("d{}", i / 8),
            institution: Some(format!("institution {}", random.below(INSTITUTIONS))),
            year: Some(2000 + random.below(25) as i64),
            doc_type: Some("report".into()),
            language: "en".into(),
            access: "public".into(),
        };
        Point {
            id: i as u64,
            dense: Some(dense),
            sparse: sparse(terms, |random| 0.5 + unit_interval(random) as f32, &mut random),
            learned: None,
            payload,
        }
    }

    pub(super) fn asked(&self, i: usize) -> Asked {
        let mut random = Random::new(!self.seed ^ (i as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9));
        let dense = self.dense(&mut random);
        let terms = (0..TERMS_A_QUERY).map(|_| self.term(&mut random)).collect();
        Asked { dense, sparse: sparse(terms, |_| 1.0, &mut random) }
    }
}

fn sparse(mut terms: Vec<u32>, value: impl Fn(&mut Random) -> f32, random: &mut Random) -> SparseVector {
    terms.sort_unstable();
    terms.dedup();
    SparseVector { values: terms.iter().map(|_| value(random)).collect(), indices: terms }
}

fn unit_interval(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// A random direction of expected length 1 (Box and Muller).
fn gaussian(random: &mut Random, dim: usize) -> Vec<f32> {
    let scale = 1.0 / (dim.max(1) as f64).sqrt();
    let mut draw = || {
        let (u, v) = (1.0 - unit_interval(random), unit_interval(random));
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos() * scale) as f32
    };
    (0..dim).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_points() {
        let arguments = Arguments {
            chunks: 50,
            dim: 8,
            queries: 1,
            limit: 1,
            quantized: false,
            payload_links: false,
            usearch: None,
            seed: 7,
            keep: None,
        };
        assert_eq!(World::new(&arguments).point(3), World::new(&arguments).point(3));
        assert_ne!(World::new(&arguments).point(3).dense, World::new(&arguments).point(4).dense);
    }
}
