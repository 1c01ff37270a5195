//! Where do weights, keys and values lie so that reading them does not wait for page tables?
//!
//! Decoding reads every weight once a token, and every key and value. In pages of 4 KiB the processor looks up a page
//! for each twelve blocks and its own prefetching stops there; in pages of 2 MiB neither happens. So matrices share
//! large regions, as do the heads of a layer, and Linux is asked to back these with large pages; whether it does changes
//! speed only. The price is that memory is taken in such steps when it is first written.

#[cfg(not(target_os = "linux"))]
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
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

/// Memory, zero and untouched at first, given back when the last of its lines goes.
struct Region {
    base: NonNull<u8>,
    size: usize,
    /// What was asked of the system: `base` is in it.
    whole: (NonNull<u8>, usize),
}

/// Numbers in lines of their own, zero at first.
pub(super) struct Zeros<T> {
    lines: Lines,
    count: usize,
    _numbers: PhantomData<T>,
}

/// # Safety
/// Any bytes are a valid value, and it is aligned within a line.
pub(super) unsafe trait Number: Copy {}
// SAFETY: sixteen bits of any value are an f16.
unsafe impl Number for half::f16 {}
// SAFETY: 32 bits of any value are an f32.
unsafe impl Number for f32 {}
// SAFETY: a byte of any value is an i8.
unsafe impl Number for i8 {}

impl Pages {
    /// A region of just so many lines, for what is taken next.
    pub(super) fn of(lines: usize) -> Pages {
        Pages { open: Some((Arc::new(Region::new(lines.max(1) * size_of::<Line>())), 0)) }
    }

    /// So many lines, zero.
    pub(super) fn take(&mut self, count: usize) -> Lines {
        let bytes = count * size_of::<Line>();
        let (region, used) = match self.open.take() {
            Some((region, used)) if region.size - used >= bytes => (region, used),
            _ => (Arc::new(Region::new(bytes.max(REGION))), 0),
        };
        // SAFETY: `used + bytes` is within the region. These bytes were handed to nobody, since `used` only grows, and
        // are zero as the system gave them; the region's base is aligned for a `Line`.
        let first = unsafe { region.base.add(used) }.cast::<Line>();
        self.open = Some((region.clone(), used + bytes));
        Lines { first, count, _region: region }
    }

    /// So many numbers, zero.
    pub(super) fn zeros<T: Number>(&mut self, count: usize) -> Zeros<T> {
        Zeros { lines: self.take(lines::<T>(count)), count, _numbers: PhantomData }
    }
}

/// Lines that so many numbers take.
pub(super) fn lines<T: Number>(count: usize) -> usize {
    (count * size_of::<T>()).div_ceil(size_of::<Line>())
}

impl Region {
    #[cfg(target_os = "linux")]
    fn new(size: usize) -> Region {
        // What is smaller than a large page need not begin at one.
        let align = if size < PAGE { size_of::<Line>() } else { PAGE };
        let whole = size + align;
        // SAFETY: new memory that nothing else refers to is asked for.
        let at = unsafe {
            let (how, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            libc::mmap(std::ptr::null_mut(), whole, how, kind, -1, 0)
        };
        let Some(start) = NonNull::new(at.cast::<u8>()).filter(|_| at != libc::MAP_FAILED) else {
            panic!("the system gave no {whole} bytes of memory")
        };
        // SAFETY: the offset is below `align`, so that `size` bytes follow.
        let base = unsafe { start.add(start.align_offset(align)) };
        if size >= PAGE {
            // SAFETY: this part of the mapping is ours; the advice changes no content. It may be refused.
            unsafe { libc::madvise(base.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        }
        Region { base, size, whole: (start, whole) }
    }

    #[cfg(not(target_os = "linux"))]
    fn new(size: usize) -> Region {
        let Ok(layout) = Layout::from_size_align(size, size_of::<Line>()) else {
            panic!("no memory is as large as {size} bytes")
        };
        // SAFETY: the size is not zero: a line is the least.
        let Some(base) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { std::alloc::handle_alloc_error(layout) };
        Region { base, size, whole: (base, size) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let (start, size) = self.whole;
        // SAFETY: mapped with this size, and no lines of it are left: each holds the region.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::munmap(start.as_ptr().cast(), size);
        }
        // SAFETY: allocated with this layout, and no lines of it are left: each holds the region.
        #[cfg(not(target_os = "linux"))]
        unsafe {
            dealloc(start.as_ptr(), Layout::from_size_align_unchecked(size, size_of::<Line>()));
        }
    }
}

impl<T: Number> Deref for Zeros<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold so many numbers, any bytes are numbers, and a line is aligned for them.
        unsafe { std::slice::from_raw_parts(self.lines.first.as_ptr().cast(), self.count) }
    }
}

impl<T: Number> DerefMut for Zeros<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.first.as_ptr().cast(), self.count) }
    }
}

#[cfg(test)]
impl<T> Zeros<T> {
    /// Bytes of their lines.
    pub(super) fn allocated(&self) -> usize {
        self.lines.bytes().len()
    }
}

impl<T> fmt::Debug for Zeros<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.count)
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
