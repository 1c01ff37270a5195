//! Where do weights lie so that reading them does not wait for page tables?
//!
//! Decoding reads every weight once a token. In pages of 4 KiB the processor looks up a page for each
//! twelve blocks and its own prefetching stops there; in pages of 2 MiB neither happens. So matrices share
//! large regions, and Linux is asked to back these with large pages; whether it does changes speed only.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

/// A large page.
const PAGE: usize = 2 << 20;
/// Bytes taken from the system at once; what is not used is never touched, and so takes no memory.
const REGION: usize = 64 << 20;

/// A cache line: alignment for whole-register loads.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; 64]);

/// Hands out lines of memory; dropping it keeps what was handed out.
#[derive(Default)]
pub(crate) struct Pages {
    open: Option<(Arc<Region>, usize)>,
}

/// Lines that nobody else has.
pub(super) struct Lines {
    first: NonNull<Line>,
    count: usize,
    _region: Arc<Region>,
}

/// Memory, given back when the last of its lines goes.
struct Region {
    base: NonNull<u8>,
    layout: Layout,
}

impl Pages {
    /// So many lines, zero.
    pub(super) fn take(&mut self, count: usize) -> Lines {
        let bytes = count * size_of::<Line>();
        let (region, used) = match self.open.take() {
            Some((region, used)) if region.layout.size() - used >= bytes => (region, used),
            _ => (Arc::new(Region::new(bytes.max(REGION))), 0),
        };
        // SAFETY: `used + bytes` is within the region.
        let first = unsafe { region.base.add(used) }.cast::<Line>();
        // SAFETY: these bytes belong to the region, which is aligned to pages, so that each multiple of 64
        // is aligned for a `Line`; they were handed to nobody, since `used` only grows.
        unsafe { first.write_bytes(0, count) };
        self.open = Some((region.clone(), used + bytes));
        Lines { first, count, _region: region }
    }
}

impl Region {
    fn new(bytes: usize) -> Region {
        let size = bytes.next_multiple_of(PAGE);
        let Ok(layout) = Layout::from_size_align(size, PAGE) else { panic!("no memory is as large as {bytes} bytes") };
        // SAFETY: the size is not zero: `REGION` is the least.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        // SAFETY: the region is ours and whole pages; the advice changes no content. It may be refused.
        unsafe {
            libc::madvise(base.as_ptr().cast(), size, libc::MADV_HUGEPAGE);
        }
        Region { base, layout }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and no lines of it are left: each holds the region.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

// SAFETY: a region is memory that only its lines reach, each its own part.
unsafe impl Send for Region {}
// SAFETY: as above; a region itself gives no access.
unsafe impl Sync for Region {}
// SAFETY: lines are owned bytes.
unsafe impl Send for Lines {}
// SAFETY: shared lines can only be read.
unsafe impl Sync for Lines {}

impl Lines {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `count` lines from `first` are these lines' own, initialized, without padding.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr().cast(), self.count * size_of::<Line>()) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the borrow is unique and any byte may be written.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr().cast(), self.count * size_of::<Line>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_zero_aligned_and_apart_and_outlive_the_pages() {
        let mut pages = Pages::default();
        // The last do not fit into what the first left, one is larger than a region.
        let counts = [1, 1000, REGION / 64 - 500, 3, REGION / 64 + 1, 7];
        let mut all: Vec<Lines> = counts.iter().map(|&count| pages.take(count)).collect();
        drop(pages);
        for (i, (lines, count)) in all.iter_mut().zip(counts).enumerate() {
            assert_eq!((lines.bytes().len(), lines.bytes().as_ptr() as usize % 64), (count * 64, 0));
            assert!(lines.bytes().iter().all(|&b| b == 0), "{i}");
            lines.bytes_mut().fill(i as u8 + 1);
        }
        all.remove(0);
        for (i, lines) in all.iter().enumerate() {
            assert!(lines.bytes().iter().all(|&b| b == i as u8 + 2), "{i} was written by another");
        }
    }
}
