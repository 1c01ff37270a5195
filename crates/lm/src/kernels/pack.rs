//! How do the bytes of a GGUF tensor become tiles, and back?
//!
//! A tile holds 16 rows: first the scales of all its blocks, then the codes. Codes of a block are eight
//! groups of four columns; a group is 64 bytes, four for each row in turn, which is what one dot-product
//! instruction reads. Codes are unsigned. Four bits: the low half of the `j`th 64 bytes is group `j`, the
//! high half group `j + 4`. Five and six bits: that, and 64 or 128 bytes with the high bits of all groups.
//!
//! Scales: Q8_0, Q5_0 and Q4_0 have 16 f16 a block, Q5_1 and Q4_1 as many minimums after them, which the file adds
//! and which are kept with the other sign, as those of the K formats are. The K formats keep what the file says, 320 bytes for 256
//! columns: 16 f16 `d`, 16 f16 `dmin`, then for each block 16 scales and 16 minimums (Q6_K: two scales).
//! Nothing is rounded again. Layouts of files: ggml-quants.c of llama.cpp.

use std::fmt;

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};

use super::pages::{Lines, Pages};
use super::{BLOCK, Format, Needs, SUPER, TILE};

/// Scales of 256 columns in a K format.
pub(super) const SUPER_SCALES: usize = 320;

/// A matrix in tiles.
pub(crate) struct Matrix {
    format: Format,
    rows: usize,
    columns: usize,
    data: Lines,
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}, {})", self.format, self.rows, self.columns)
    }
}

impl Format {
    /// The format of a tensor type; none where it has no tiles of its own, and its numbers are to be packed as f16.
    pub(crate) fn of(dtype: GgmlDType) -> Option<Format> {
        match dtype {
            GgmlDType::F32 => Some(Format::F32),
            GgmlDType::F16 => Some(Format::F16),
            GgmlDType::BF16 => Some(Format::Bf16),
            GgmlDType::Q8_0 => Some(Format::Q8_0),
            GgmlDType::Q4_0 => Some(Format::Q4_0),
            GgmlDType::Q4_1 => Some(Format::Q4_1),
            GgmlDType::Q5_0 => Some(Format::Q5_0),
            GgmlDType::Q5_1 => Some(Format::Q5_1),
            GgmlDType::Q4K => Some(Format::Q4K),
            GgmlDType::Q5K => Some(Format::Q5K),
            GgmlDType::Q6K => Some(Format::Q6K),
            _ => None,
        }
    }

    /// Those whose codes are multiplied.
    #[cfg(target_arch = "x86_64")]
    pub(super) const QUANTIZED: [Format; 8] =
        [Format::Q8_0, Format::Q4_0, Format::Q4_1, Format::Q5_0, Format::Q5_1, Format::Q4K, Format::Q5K, Format::Q6K];

    /// What it reads of activations.
    pub(crate) fn needs(self) -> Needs {
        Needs { floats: self.is_float(), codes: !self.is_float() }
    }

    const fn is_float(self) -> bool {
        matches!(self, Format::F32 | Format::F16 | Format::Bf16)
    }

    /// Columns that belong together.
    pub(super) fn unit(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 1,
            Format::Q8_0 | Format::Q4_0 | Format::Q4_1 | Format::Q5_0 | Format::Q5_1 => BLOCK,
            Format::Q4K | Format::Q5K | Format::Q6K => SUPER,
        }
    }

    /// Bytes of a unit of one row in the file.
    fn unit_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
            Format::Q8_0 => 34,
            Format::Q4_0 => 18,
            Format::Q4_1 => 20,
            Format::Q5_0 => 22,
            Format::Q5_1 => 24,
            Format::Q4K => 144,
            Format::Q5K => 176,
            Format::Q6K => 210,
        }
    }

    /// Bytes of so many numbers in the file.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn file_bytes(self, numbers: usize) -> usize {
        numbers / self.unit() * self.unit_bytes()
    }

    /// Makes small numbers of the scales in random bytes, which could be anything.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn tame(self, bytes: &mut [u8]) {
        for unit in bytes.chunks_exact_mut(self.unit_bytes()) {
            let scales = match self {
                Format::F32 | Format::F16 | Format::Bf16 => 0..0,
                Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => 0..2,
                Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => 0..4,
                Format::Q6K => 208..210,
            };
            for scale in unit[scales].chunks_exact_mut(2) {
                // An exponent between 2^-7 and 2^0, either sign.
                scale[1] = scale[1] & 0x9f | 0x20;
            }
        }
    }

    /// Bytes of the codes of a block of a tile (of a column for floats).
    pub(super) const fn code_bytes(self) -> usize {
        match self {
            Format::F32 => 64,
            Format::F16 | Format::Bf16 => 32,
            Format::Q8_0 => 512,
            Format::Q4_0 | Format::Q4_1 | Format::Q4K => 256,
            Format::Q5_0 | Format::Q5_1 | Format::Q5K => 320,
            Format::Q6K => 384,
        }
    }

    /// Bytes before the codes.
    pub(super) const fn scale_bytes(self, width: usize) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 0,
            Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => (width / BLOCK * 32).next_multiple_of(64),
            Format::Q4_1 | Format::Q5_1 => width / BLOCK * 64,
            Format::Q4K | Format::Q5K | Format::Q6K => width / SUPER * SUPER_SCALES,
        }
    }

    /// Bytes of a matrix in tiles.
    pub(crate) fn packed_bytes(self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(TILE) * self.tile_bytes(columns)
    }

    /// Bytes of a tile.
    pub(super) const fn tile_bytes(self, width: usize) -> usize {
        let units = if self.is_float() { width } else { width / BLOCK };
        (self.scale_bytes(width) + units * self.code_bytes()).next_multiple_of(64)
    }
}

impl Matrix {
    /// Repacks the bytes of a tensor of `rows` times `columns`; an error says what does not fit.
    pub(crate) fn pack(
        pages: &mut Pages,
        format: Format,
        (rows, columns): (usize, usize),
        bytes: &[u8],
    ) -> Result<Matrix, String> {
        let row_bytes = columns / format.unit() * format.unit_bytes();
        if rows == 0 || columns == 0 || !columns.is_multiple_of(format.unit()) || bytes.len() != rows * row_bytes {
            return Err(format!("{} bytes are not {rows} rows of {columns} numbers in {format:?}", bytes.len()));
        }
        let lines = format.tile_bytes(columns) / 64;
        let mut matrix = Matrix { format, rows, columns, data: pages.take(rows.div_ceil(TILE) * lines) };
        for (index, row) in bytes.chunks_exact(row_bytes).enumerate() {
            let tile = matrix.tile_mut(index / TILE);
            pack_row(format, columns, row, index % TILE, tile);
        }
        Ok(matrix)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes that one product reads.
    pub(crate) fn bytes(&self) -> usize {
        self.format.packed_bytes(self.rows, self.columns)
    }

    /// Bytes of its memory.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.data.bytes().len()
    }

    pub(super) fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE)
    }

    pub(super) fn tile(&self, index: usize) -> &[u8] {
        let size = self.format.tile_bytes(self.columns);
        &self.data.bytes()[index * size..(index + 1) * size]
    }

    fn tile_mut(&mut self, index: usize) -> &mut [u8] {
        let size = self.format.tile_bytes(self.columns);
        &mut self.data.bytes_mut()[index * size..(index + 1) * size]
    }

    /// The numbers of one row, as the file means them.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows && out.len() == self.columns, "row {index} of {self:?}");
        let tile = self.tile(index / TILE);
        let r = index % TILE;
        let format = self.format;
        match format {
            Format::F32 => (0..self.columns).for_each(|k| out[k] = f32_at(tile, k * 64 + r * 4)),
            Format::F16 => (0..self.columns).for_each(|k| out[k] = f16_at(tile, k * 32 + r * 2)),
            Format::Bf16 => (0..self.columns).for_each(|k| out[k] = bf16_at(tile, k * 32 + r * 2)),
            Format::Q8_0
            | Format::Q4_0
            | Format::Q4_1
            | Format::Q5_0
            | Format::Q5_1
            | Format::Q4K
            | Format::Q5K
            | Format::Q6K => {
                for (b, out) in out.chunks_exact_mut(BLOCK).enumerate() {
                    for (i, x) in out.iter_mut().enumerate() {
                        let (scale, min) = scale_at(format, tile, b, i, r);
                        let code = code_at(format, tile, self.columns, b, i, r) as i32;
                        *x = scale * (code - format.zero()) as f32 - min;
                    }
                }
            }
        }
    }
}

impl Format {
    /// The code that stands for zero where there is no minimum.
    pub(super) const fn zero(self) -> i32 {
        match self {
            Format::Q8_0 => 128,
            Format::Q4_0 => 8,
            Format::Q5_0 => 16,
            Format::Q6K => 32,
            Format::F32 | Format::F16 | Format::Bf16 => 0,
            Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => 0,
        }
    }
}

pub(super) fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

pub(super) fn bf16_at(bytes: &[u8], at: usize) -> f32 {
    bf16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Scale and minimum of number `i` of block `b` of row `r` of a tile.
pub(super) fn scale_at(format: Format, tile: &[u8], b: usize, i: usize, r: usize) -> (f32, f32) {
    let (s, j) = (b / 8 * SUPER_SCALES, b % 8);
    match format {
        Format::F32 | Format::F16 | Format::Bf16 => (1.0, 0.0),
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => (f16_at(tile, b * 32 + r * 2), 0.0),
        Format::Q4_1 | Format::Q5_1 => (f16_at(tile, b * 64 + r * 2), f16_at(tile, b * 64 + 32 + r * 2)),
        Format::Q4K | Format::Q5K => {
            let d = f16_at(tile, s + r * 2) * f32::from(tile[s + 64 + j * 32 + r]);
            (d, f16_at(tile, s + 32 + r * 2) * f32::from(tile[s + 64 + j * 32 + 16 + r]))
        }
        Format::Q6K => {
            let scale = tile[s + 64 + j * 32 + i / 16 * 16 + r] as i8;
            (f16_at(tile, s + r * 2) * f32::from(scale), 0.0)
        }
    }
}

/// The code of number `i` of block `b` of row `r` of a tile.
pub(super) fn code_at(format: Format, tile: &[u8], width: usize, b: usize, i: usize, r: usize) -> u8 {
    let codes = &tile[format.scale_bytes(width) + b * format.code_bytes()..][..format.code_bytes()];
    let (g, lane) = (i / 4, r * 4 + i % 4);
    let nibble = || codes[g % 4 * 64 + lane] >> (g / 4 * 4) & 15;
    match format {
        Format::F32 | Format::F16 | Format::Bf16 => 0,
        Format::Q8_0 => codes[g * 64 + lane],
        Format::Q4_0 | Format::Q4_1 | Format::Q4K => nibble(),
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => nibble() | (codes[256 + lane] >> g & 1) << 4,
        Format::Q6K => nibble() | (codes[256 + g / 4 * 64 + lane] >> (g % 4 * 2) & 3) << 4,
    }
}

fn pack_row(format: Format, columns: usize, row: &[u8], r: usize, tile: &mut [u8]) {
    match format {
        Format::F32 => {
            row.chunks_exact(4).enumerate().for_each(|(k, x)| tile[k * 64 + r * 4..][..4].copy_from_slice(x))
        }
        Format::F16 | Format::Bf16 => {
            row.chunks_exact(2).enumerate().for_each(|(k, x)| tile[k * 32 + r * 2..][..2].copy_from_slice(x));
        }
        Format::Q8_0 | Format::Q4_0 => {
            for (b, block) in row.chunks_exact(format.unit_bytes()).enumerate() {
                tile[b * 32 + r * 2..][..2].copy_from_slice(&block[..2]);
                let codes: [u8; BLOCK] = std::array::from_fn(|i| match format {
                    // -128..=127 becomes 0..=255.
                    Format::Q8_0 => block[2 + i] ^ 0x80,
                    _ => block[2 + i % 16] >> (i / 16 * 4) & 15,
                });
                put(format, tile, columns, b, r, &codes);
            }
        }
        Format::Q4_1 | Format::Q5_0 | Format::Q5_1 => {
            for (b, block) in row.chunks_exact(format.unit_bytes()).enumerate() {
                let (scale, rest) = block.split_at(2);
                let (min, rest) = rest.split_at(if format == Format::Q5_0 { 0 } else { 2 });
                let (high, low) = rest.split_at(rest.len() - BLOCK / 2);
                let at = b * (scale.len() + min.len()) * TILE + r * 2;
                tile[at..at + 2].copy_from_slice(scale);
                if let [first, second] = min {
                    tile[at + 2 * TILE..][..2].copy_from_slice(&[*first, second ^ 0x80]);
                }
                let codes: [u8; BLOCK] = std::array::from_fn(|i| {
                    let fifth = high.get(i / 8).map_or(0, |bits| (bits >> (i % 8) & 1) << 4);
                    low[i % 16] >> (i / 16 * 4) & 15 | fifth
                });
                put(format, tile, columns, b, r, &codes);
            }
        }
        Format::Q4K | Format::Q5K => {
            for (s, block) in row.chunks_exact(format.unit_bytes()).enumerate() {
                let scales = &mut tile[s * SUPER_SCALES..][..SUPER_SCALES];
                scales[r * 2..][..2].copy_from_slice(&block[..2]);
                scales[32 + r * 2..][..2].copy_from_slice(&block[2..4]);
                for j in 0..8 {
                    let (scale, min) = six_bits(&block[4..16], j);
                    scales[64 + j * 32 + r] = scale;
                    scales[64 + j * 32 + 16 + r] = min;
                }
                let (high, low) =
                    if format == Format::Q5K { block[16..].split_at(32) } else { block[16..].split_at(0) };
                for j in 0..8 {
                    let codes: [u8; BLOCK] = std::array::from_fn(|i| {
                        let fifth = if high.is_empty() { 0 } else { (high[i] >> j & 1) << 4 };
                        low[j / 2 * 32 + i] >> (j % 2 * 4) & 15 | fifth
                    });
                    put(format, tile, columns, s * 8 + j, r, &codes);
                }
            }
        }
        Format::Q6K => {
            for (s, block) in row.chunks_exact(format.unit_bytes()).enumerate() {
                let (low, high) = block[..192].split_at(128);
                tile[s * SUPER_SCALES + r * 2..][..2].copy_from_slice(&block[208..]);
                for j in 0..8 {
                    for half in 0..2 {
                        tile[s * SUPER_SCALES + 64 + j * 32 + half * 16 + r] = block[192 + j * 2 + half];
                    }
                    // 128 numbers share 64 bytes of low and 32 bytes of high bits.
                    let (part, quarter) = (j / 4, j % 4);
                    let codes: [u8; BLOCK] = std::array::from_fn(|i| {
                        let low = low[part * 64 + quarter % 2 * 32 + i] >> (quarter / 2 * 4) & 15;
                        low | (high[part * 32 + i] >> (quarter * 2) & 3) << 4
                    });
                    put(format, tile, columns, s * 8 + j, r, &codes);
                }
            }
        }
    }
}

/// The `j`th scale and minimum among twelve bytes.
fn six_bits(packed: &[u8], j: usize) -> (u8, u8) {
    if j < 4 {
        return (packed[j] & 63, packed[j + 4] & 63);
    }
    let scale = packed[j + 4] & 15 | packed[j - 4] >> 6 << 4;
    (scale, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
}

/// Writes the codes of block `b` of row `r` into a tile whose codes were zero.
fn put(format: Format, tile: &mut [u8], width: usize, b: usize, r: usize, codes: &[u8; BLOCK]) {
    let at = format.scale_bytes(width) + b * format.code_bytes();
    let block = &mut tile[at..at + format.code_bytes()];
    for (i, &code) in codes.iter().enumerate() {
        let (g, lane) = (i / 4, r * 4 + i % 4);
        if format == Format::Q8_0 {
            block[g * 64 + lane] = code;
            continue;
        }
        block[g % 4 * 64 + lane] |= (code & 15) << (g / 4 * 4);
        match format {
            Format::Q5_0 | Format::Q5_1 | Format::Q5K => block[256 + lane] |= (code >> 4) << g,
            Format::Q6K => block[256 + g / 4 * 64 + lane] |= (code >> 4) << (g % 4 * 2),
            Format::F32 | Format::F16 | Format::Bf16 | Format::Q8_0 => {}
            Format::Q4_0 | Format::Q4_1 | Format::Q4K => {}
        }
    }
}
