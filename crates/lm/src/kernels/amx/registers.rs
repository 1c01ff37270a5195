//! The tile registers themselves: a thin layer of instructions, one function each.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::{LINE, NONE, Sums, Tiles};
use crate::kernels::{GROUP, TILE};

/// The state components of AMX in `XCR0`: configuration and data.
const STATE: u64 = 3 << 17;
/// `arch_prctl` and its request to use a state component; 18 is the data of tiles.
const ARCH_PRCTL: usize = 158;
const REQUEST_PERMISSION: usize = 0x1023;
const TILE_DATA: usize = 18;

/// Asks the processor for AMX with int8, and the system for leave to use it. Leave holds for all threads.
pub(super) fn permitted() -> Result<(), &'static str> {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_TILE_AND_INT8: u32 = 3 << 24;
    // Leaf 7 exists wherever AVX-512 was found, which is asked for first.
    let (basic, extended) = (__cpuid_count(1, 0), __cpuid_count(7, 0));
    if extended.edx & AMX_TILE_AND_INT8 != AMX_TILE_AND_INT8 {
        return Err(NONE);
    }
    if basic.ecx & OSXSAVE == 0 {
        return Err("this system does not save AMX registers");
    }
    let (low, high): (u32, u32);
    // SAFETY: `xgetbv` exists where OSXSAVE is set; register 0 is `XCR0`.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    if (u64::from(high) << 32 | u64::from(low)) & STATE != STATE {
        return Err("this system does not save AMX registers");
    }
    let mut result = ARCH_PRCTL;
    // SAFETY: this request takes numbers only and changes nothing but what this process may use; the kernel
    // overwrites rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") result, in("rdi") REQUEST_PERMISSION, in("rsi") TILE_DATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    if result == 0 { Ok(()) } else { Err("this system refuses the use of AMX") }
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// The eight tiles of this thread. Only made after [`permitted`]; dropping it gives them back, so that the
/// system need not save them.
pub(in crate::kernels) struct Registers {
    /// Tokens and span that are configured; zero is nothing.
    shape: (usize, usize),
    /// A thread's registers do not follow the value to another thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl Registers {
    pub(in crate::kernels) fn new() -> Registers {
        Registers { shape: (0, 0), _here: std::marker::PhantomData }
    }
}

impl Tiles for Registers {
    fn configure(&mut self, tokens: usize, span: usize) {
        assert!(
            (1..=GROUP).contains(&tokens) && span <= LINE && span.is_multiple_of(4),
            "no such tile: {tokens}, {span}"
        );
        if self.shape == (tokens, span) {
            return;
        }
        let mut all = Configuration { palette: 1, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        for i in 0..8 {
            let (rows, bytes) = match i {
                0..=3 => (tokens, LINE),
                4 | 5 => (tokens, span),
                _ => (span / 4, LINE),
            };
            (all.rows[i], all.bytes[i]) = (rows as u8, bytes as u16);
        }
        // SAFETY: AMX is permitted; `all` is a valid configuration of palette 1: at most 16 rows of 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const all, options(nostack, readonly, preserves_flags)) };
        self.shape = (tokens, span);
    }

    #[inline(always)]
    fn zero<const TO: usize>(&mut self) {
        // SAFETY: AMX is permitted and configured (`tilezero` of an unconfigured tile faults, it does not harm).
        unsafe { asm!("tilezero tmm{t}", t = const TO, options(nomem, nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn load<const TO: usize>(&mut self, from: &[i8], stride: usize) {
        let (tokens, span) = self.shape;
        let (rows, bytes) = if TO < 6 { (tokens, span) } else { (span / 4, LINE) };
        assert!((4..8).contains(&TO) && rows > 0 && from.len() >= (rows - 1) * stride + bytes, "too little to load");
        // SAFETY: AMX is permitted; register `TO` was configured with `rows` lines of `bytes` bytes, which
        // were just compared with what can be read.
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}*1]", t = const TO, from = in(reg) from.as_ptr(),
                stride = in(reg) stride, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    fn dot<const TO: usize, const X: usize, const W: usize>(&mut self) {
        // SAFETY: AMX is permitted; the shapes of sums, activations and weights fit each other by `configure`.
        unsafe {
            asm!("tdpbssd tmm{t}, tmm{x}, tmm{w}", t = const TO, x = const X, w = const W,
                options(nomem, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn store<const FROM: usize>(&mut self, to: &mut Sums) {
        assert!(FROM < 4 && self.shape.0 <= GROUP && LINE == TILE * 4, "sums are registers 0 to 3");
        // SAFETY: AMX is permitted; registers 0 to 3 have at most `GROUP` lines of 64 bytes, which is `Sums`.
        unsafe {
            asm!("tilestored [{to} + {stride}*1], tmm{t}", t = const FROM, to = in(reg) to.0.as_mut_ptr(),
                stride = in(reg) LINE, options(nostack, preserves_flags));
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        if self.shape != (0, 0) {
            // SAFETY: AMX is permitted; nothing of this thread is in the tiles any more.
            unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
        }
    }
}
