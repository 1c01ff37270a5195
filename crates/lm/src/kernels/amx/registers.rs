//! The tile registers themselves.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::{Multiply, NONE, Soon, Square, Sums, Tile};
use crate::kernels::TILE;

/// Bytes of a line of a tile.
const LINE: usize = 64;

/// The state components of AMX in `XCR0`: configuration and data.
const STATE: u64 = 3 << 17;
/// `arch_prctl` and its request to use a state component; 18 is the data of tiles.
const ARCH_PRCTL: usize = 158;
const REQUEST_PERMISSION: usize = 0x1023;
const TILE_DATA: usize = 18;

/// Asks the processor for AMX with bf16, and the system for leave to use it. Leave holds for all threads.
pub(super) fn permitted() -> Result<(), &'static str> {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
    // Leaf 7 exists wherever AVX-512 was found, which is asked for first.
    let (basic, extended) = (__cpuid_count(1, 0), __cpuid_count(7, 0));
    if extended.edx & AMX_TILE_AND_BF16 != AMX_TILE_AND_BF16 {
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

/// What `ldtilecfg` reads and `sttilecfg` writes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configuration {
    const NONE: Configuration =
        Configuration { palette: 0, start: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
}

/// The eight tiles of this thread, all of 16 lines of 64 bytes: 0 to 3 hold sums, 4 and 5 activations, 6 and 7
/// weights. Only made after [`permitted`]. Dropping it brings back the shapes that were there before: candle's kernels
/// configure a thread once and rely on that from then on.
pub(in crate::kernels) struct Registers {
    before: Configuration,
    /// A thread's registers do not follow the value to another thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl Registers {
    pub(in crate::kernels) fn new() -> Registers {
        let mut before = Configuration::NONE;
        let all = Configuration {
            palette: 1,
            rows: std::array::from_fn(|i| if i < 8 { TILE as u8 } else { 0 }),
            bytes: std::array::from_fn(|i| if i < 8 { LINE as u16 } else { 0 }),
            ..Configuration::NONE
        };
        // SAFETY: AMX is permitted; `before` has room for the 64 bytes of a configuration, and `all` is a valid one of
        // palette 1: eight tiles of 16 rows of 64 bytes.
        unsafe {
            asm!("sttilecfg [{}]", in(reg) &raw mut before, options(nostack, preserves_flags));
            asm!("ldtilecfg [{}]", in(reg) &raw const all, options(nostack, readonly, preserves_flags));
        }
        Registers { before, _here: std::marker::PhantomData }
    }
}

impl Multiply for Registers {
    #[inline]
    fn multiply(&mut self, x: [&[Tile]; 2], w: [&[Tile]; 2], out: &mut Square, add: bool, soon: Option<Soon>) {
        let steps = x[0].len();
        assert!(steps > 0 && x[1].len() == steps && w[0].len() == steps && w[1].len() == steps, "tiles disagree");
        let to = out.as_mut_ptr().cast::<Sums>();
        // The sums themselves, if nothing else.
        let sums = [to, to.wrapping_add(2)].map(|sums| sums.cast_const().cast());
        let Soon { halves, step } = soon.unwrap_or(Soon { halves: sums, step: 2 * LINE });
        // SAFETY: AMX is permitted, and configured while `self` lives; sums are four times sixteen lines of 64 bytes
        // at `to`; each slice holds `steps` tiles of sixteen such lines, of which each turn takes one. Asking for memory
        // changes nothing, and nothing happens where there is none.
        unsafe {
            if add {
                asm!(
                    "tileloadd tmm0, [{to} + {line}*1]",
                    "tileloadd tmm1, [{to} + {line}*1 + 1024]",
                    "tileloadd tmm2, [{to} + {line}*1 + 2048]",
                    "tileloadd tmm3, [{to} + {line}*1 + 3072]",
                    to = in(reg) to, line = in(reg) LINE, options(nostack, readonly, preserves_flags)
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nomem, nostack, preserves_flags)
                );
            }
            asm!(
                "2:",
                "tileloaddt1 tmm4, [{x0} + {line}*1]",
                "tileloadd tmm6, [{w0} + {line}*1]",
                "prefetchw [{soon0}]",
                "prefetchw [{soon0} + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{w1} + {line}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloaddt1 tmm5, [{x1} + {line}*1]",
                "prefetchw [{soon1}]",
                "prefetchw [{soon1} + 64]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {soon0}, {step}",
                "add {soon1}, {step}",
                "add {x0}, 1024",
                "add {x1}, 1024",
                "add {w0}, 1024",
                "add {w1}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{to} + {line}*1], tmm0",
                "tilestored [{to} + {line}*1 + 1024], tmm1",
                "tilestored [{to} + {line}*1 + 2048], tmm2",
                "tilestored [{to} + {line}*1 + 3072], tmm3",
                x0 = inout(reg) x[0].as_ptr() => _, x1 = inout(reg) x[1].as_ptr() => _,
                w0 = inout(reg) w[0].as_ptr() => _, w1 = inout(reg) w[1].as_ptr() => _,
                soon0 = inout(reg) halves[0] => _, soon1 = inout(reg) halves[1] => _, step = in(reg) step,
                steps = inout(reg) steps => _, to = in(reg) to, line = in(reg) LINE, options(nostack)
            );
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: AMX is permitted; nothing of ours is in the tiles any more, and `before` came from this thread. With
        // no tiles configured the system need not save them.
        unsafe {
            match self.before.palette {
                0 => asm!("tilerelease", options(nomem, nostack, preserves_flags)),
                _ => {
                    asm!("ldtilecfg [{}]", in(reg) &raw const self.before, options(nostack, readonly, preserves_flags));
                }
            }
        }
    }
}

const _: () = assert!(size_of::<Sums>() == 1024 && size_of::<Tile>() == 1024);
