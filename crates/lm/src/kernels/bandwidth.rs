//! How many bytes a second do the threads read from memory? The bound of everything that decoding does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::Path;
use super::pages::Pages;
use super::path::dispatch;
use super::pool::Pool;

/// Far more than any cache holds.
const BYTES: usize = 512 << 20;
/// What a thread takes at once.
const PIECE: usize = 1 << 20;

/// Reads memory with `threads` threads (0 is one a processor), once to warm up and three times measured; the
/// best, in bytes a second. It takes half a gibibyte for that time.
pub fn read_bandwidth(threads: usize) -> f64 {
    let path = Path::best();
    let mut pool = Pool::new(threads);
    let mut lines = Pages::default().take(BYTES / 64);
    // What was never written is one page of zeros everywhere, and in the cache.
    lines.bytes_mut().fill(1);
    let bytes = lines.bytes();
    let total = AtomicU64::new(0);
    let mut best = f64::INFINITY;
    for round in 0..4 {
        let begin = Instant::now();
        pool.run(BYTES / PIECE, &|piece| {
            total.fetch_add(sum(path, &bytes[piece * PIECE..(piece + 1) * PIECE]), Ordering::Relaxed);
        });
        if round > 0 {
            best = best.min(begin.elapsed().as_secs_f64());
        }
    }
    // So that no compiler may leave the reading out.
    std::hint::black_box(total.into_inner());
    BYTES as f64 / best
}

fn sum(path: Path, bytes: &[u8]) -> u64 {
    dispatch!(path => plain_sum(bytes: &[u8]) -> u64)
}

#[inline(always)]
fn plain_sum(bytes: &[u8]) -> u64 {
    // One running sum: the compiler makes several registers of it, and keeps an array of sums in memory instead.
    bytes.as_chunks::<8>().0.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_on_every_path() {
        let bytes: Vec<u8> = (0..1024u32).map(|i| (i * 7 % 251) as u8).collect();
        let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let expect = words.fold(0u64, u64::wrapping_add);
        for path in Path::all() {
            assert_eq!(sum(path, &bytes), expect, "{path:?}");
        }
    }
}
