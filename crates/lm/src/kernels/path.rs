//! Which instructions does this processor have, and which functions use them?

use std::ops::Range;

use super::activations::Group;
use super::pack::Matrix;
use super::{Activations, Format, GROUP, Products, TILE, activations, scalar};

/// A set of instructions. Only [`Path::best`] and [`Path::all`] make the fast ones, and only where the
/// processor has them: having one is the proof that its functions may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Scalar,
}

impl Path {
    /// Those this processor has, the fastest first.
    pub fn all() -> Vec<Path> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni");
            let bf16 = avx2 && avx512 && is_x86_feature_detected!("avx512bf16");
            if bf16 && super::amx::usable().is_ok() {
                all.push(Path(Kind::Amx));
            }
            if bf16 {
                all.push(Path(Kind::Avx512Bf16));
            }
            if avx2 && avx512 {
                all.push(Path(Kind::Avx512));
            }
            if avx2 && is_x86_feature_detected!("avxvnni") {
                all.push(Path(Kind::AvxVnni));
            }
            if avx2 {
                all.push(Path(Kind::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                all.push(Path(Kind::NeonDot));
            }
            all.push(Path(Kind::Neon));
        }
        all.push(Path(Kind::Scalar));
        all
    }

    /// The fastest.
    pub fn best() -> Path {
        Path::all().first().copied().unwrap_or(Path(Kind::Scalar))
    }

    /// The path of this name, if the processor has it; `amx`, and `avx512` and `neon`, the faster of two, are names too.
    pub fn named(name: &str) -> Option<Path> {
        let short = |path: &Path| path.name().split('-').next() == Some(name);
        Path::all().into_iter().find(|path| path.name() == name || short(path))
    }

    /// Why a processor that has AMX does not use it.
    pub fn warning() -> Option<&'static str> {
        #[cfg(target_arch = "x86_64")]
        if Path::best().is_avx512() {
            return super::amx::warning();
        }
        None
    }

    /// `amx-bf16`, `avx512-bf16`, `avx512-vnni`, `avxvnni`, `avx2`, `neon-dot`, `neon-mull` or `scalar`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => "amx-bf16",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => "avx512-bf16",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => "neon-dot",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon-mull",
            Kind::Scalar => "scalar",
        }
    }

    /// True where prompts are multiplied in tiles of bf16.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_amx(self) -> bool {
        self.0 == Kind::Amx
    }

    /// True where prompts attend in tiles of bf16, without AMX.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn attends_in_bf16(self) -> bool {
        self.0 == Kind::Avx512Bf16
    }

    /// The path for what is written: the same, but for those with bf16, whose tiles are for many tokens at once.
    pub(crate) fn for_writing(self) -> Path {
        #[cfg(target_arch = "x86_64")]
        if self.is_amx() || self.attends_in_bf16() {
            return Path(Kind::Avx512);
        }
        self
    }

    /// True where a product of a prompt's token is that of a written one, bit for bit: they can share a step.
    pub(crate) fn multiplies_as_it_writes(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.is_amx() {
            return false;
        }
        true
    }

    /// Its name; with that of the path for writing where it is another.
    pub fn describe(self) -> String {
        match self.for_writing() {
            writing if writing == self => self.name().to_owned(),
            writing => format!("{} (prompts) and {}", self.name(), writing.name()),
        }
    }

    /// True where 16 floats fit a register.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn is_avx512(self) -> bool {
        matches!(self.0, Kind::Avx512 | Kind::Avx512Bf16 | Kind::Amx)
    }

    /// Tiles that a thread takes at once when so many are `left` of `all` that `threads` share.
    pub(super) fn tiles_a_task(self, tokens: usize, (left, all): (usize, usize), threads: usize) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.is_amx() {
            return super::amx::task(all, threads);
        }
        if tokens > GROUP {
            // Rows that share the activations in the cache: 64 at least, and as many more as leave each thread four tasks.
            return (all / (4 * threads)).clamp(4, 16);
        }
        // Memory is waited for (up to a group of tokens), and read fastest in long stretches; short ones at the end let threads end together.
        (left / (2 * threads)).max(4)
    }

    /// Some tiles times all rows, on paths without AVX-512; `write` gets the first of sixteen rows of the matrix, a token, and its products with them.
    pub(super) fn tiles(
        self,
        matrix: &Matrix,
        range: Range<usize>,
        x: &Activations,
        write: &mut impl FnMut(usize, usize, &[f32; TILE]),
    ) {
        let mut products: Products = [[0.0; TILE]; GROUP];
        for (index, group) in x.groups().iter().enumerate() {
            for tile in range.clone() {
                self.tile(matrix, tile, group, &mut products);
                for (t, products) in products[..group.rows].iter().enumerate() {
                    write(tile * TILE, index * GROUP + t, products);
                }
            }
        }
    }

    /// The same with AVX-512, which writes the products of a group of tokens itself, or adds them, to rows at `out`.
    ///
    /// # Safety
    /// The path has AVX-512; at `out` are as many rows of `matrix.rows()` numbers as `x` has, and nobody else reads or writes the
    /// numbers of these tiles.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn tiles_to(
        self,
        matrix: &Matrix,
        range: Range<usize>,
        x: &Activations,
        out: *mut f32,
        add: bool,
    ) {
        let mut products: Products = [[0.0; TILE]; GROUP];
        let step = matrix.rows();
        for (index, group) in x.groups().iter().enumerate() {
            for tile in range.clone() {
                self.tile(matrix, tile, group, &mut products);
                let out = out.wrapping_add(index * GROUP * step + tile * TILE);
                let columns = TILE.min(step - tile * TILE);
                // SAFETY: these tokens and columns are within `out`; the caller's promise.
                unsafe { super::avx512::put(&products[..group.rows], (out, step), columns, add) };
            }
        }
    }

    /// One tile times one group of tokens.
    pub(super) fn tile(self, matrix: &Matrix, tile: usize, group: &Group, out: &mut Products) {
        let (format, width) = (matrix.format(), matrix.columns());
        let bytes = matrix.tile(tile);
        // What the pointers of the fast paths rely on.
        assert_eq!(bytes.len(), format.tile_bytes(width), "a tile of another size");
        group.check(format, width);
        match self.0 {
            // SAFETY: having the path proves the instructions; lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Bf16 | Kind::Amx => unsafe {
                super::avx512::tile(format, bytes, width, group, out)
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => unsafe { super::avxvnni::tile(format, bytes, width, group, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { super::avx2::tile(format, bytes, width, group, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => unsafe { super::neon::tile_dot(format, bytes, width, group, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => unsafe { super::neon::tile(format, bytes, width, group, out) },
            Kind::Scalar => scalar::tile(format, bytes, width, group, out),
        }
    }

    /// Quantizes row `t` of a group.
    pub(super) fn quantize(self, group: &mut Group, t: usize, numbers: &[f32]) {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2(group: &mut Group, t: usize, numbers: &[f32]) {
            activations::quantize(group, t, numbers);
        }
        match self.0 {
            // SAFETY: having the path proves the instructions.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Bf16 | Kind::Amx => unsafe { super::avx512::quantize(group, t, numbers) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni | Kind::Avx2 => unsafe { avx2(group, t, numbers) },
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot | Kind::Neon => activations::quantize(group, t, numbers),
            Kind::Scalar => activations::quantize(group, t, numbers),
        }
    }
}

impl Group {
    /// Panics where the group lacks what a matrix of this format reads.
    fn check(&self, format: Format, width: usize) {
        let blocks = width / super::BLOCK * self.rows;
        assert!(self.rows <= super::GROUP, "a group of {} rows", self.rows);
        if format.needs().floats {
            assert!(self.floats.len() >= width * self.rows, "rows were not kept as floats");
        } else {
            let less =
                [self.less8.len(), self.less16.len(), self.less128.len(), self.less.len(), self.less32.len() / 2];
            let enough = self.codes.len() >= blocks * super::BLOCK
                && self.scale.len() >= blocks
                && less.iter().all(|&len| len >= blocks);
            assert!(enough, "rows were not quantized");
        }
    }
}

/// Compiles a plain function once for each path: `dispatch!(path => name(arguments: types))` calls the
/// `#[inline(always)]` function `name` inside a function that may use the path's instructions.
macro_rules! dispatch {
    ($path:expr => $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
        fn avx512($($argument: $type),*) $(-> $result)? {
            $name($($argument),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2($($argument: $type),*) $(-> $result)? {
            $name($($argument),*)
        }
        match $path.name() {
            // SAFETY: having the path proves the instructions.
            #[cfg(target_arch = "x86_64")]
            "avx512-vnni" | "avx512-bf16" | "amx-bf16" => unsafe { avx512($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            "avxvnni" | "avx2" => unsafe { avx2($($argument),*) },
            _ => $name($($argument),*),
        }
    }};
}
pub(super) use dispatch;

const _: () = assert!(TILE == 16);
