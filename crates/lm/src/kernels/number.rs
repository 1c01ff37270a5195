//! Formats as numbers, which a function can be compiled for (`const F: u8`): stable Rust takes no enum there.

use super::Format;

pub(super) const F32: u8 = Format::F32 as u8;
pub(super) const F16: u8 = Format::F16 as u8;
pub(super) const BF16: u8 = Format::Bf16 as u8;
pub(super) const Q8_0: u8 = Format::Q8_0 as u8;
pub(super) const Q4_0: u8 = Format::Q4_0 as u8;
pub(super) const Q4_1: u8 = Format::Q4_1 as u8;
pub(super) const Q5_0: u8 = Format::Q5_0 as u8;
pub(super) const Q5_1: u8 = Format::Q5_1 as u8;
pub(super) const Q4K: u8 = Format::Q4K as u8;
pub(super) const Q5K: u8 = Format::Q5K as u8;
pub(super) const Q6K: u8 = Format::Q6K as u8;

/// The format of a number.
pub(super) const fn format(number: u8) -> Format {
    match number {
        F32 => Format::F32,
        F16 => Format::F16,
        BF16 => Format::Bf16,
        Q8_0 => Format::Q8_0,
        Q4_0 => Format::Q4_0,
        Q4_1 => Format::Q4_1,
        Q5_0 => Format::Q5_0,
        Q5_1 => Format::Q5_1,
        Q4K => Format::Q4K,
        Q5K => Format::Q5K,
        _ => Format::Q6K,
    }
}
