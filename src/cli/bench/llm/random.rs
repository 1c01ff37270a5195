//! Files of random weights in the shapes of real models.

use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use clap::ValueEnum;
use sectora_lm::random::{RandomShape, write_gguf};

use super::{Context, Failure};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    #[value(name = "qwen3-0.6b")]
    Qwen3,
    #[value(name = "smollm2-135m")]
    Smollm2,
    #[value(name = "llama-3.2-1b")]
    Llama32,
    Tiny,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Quant {
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_1")]
    Q4_1,
    #[value(name = "q5_0")]
    Q5_0,
    #[value(name = "q5_1")]
    Q5_1,
    #[value(name = "q4_k")]
    Q4K,
    #[value(name = "q5_k")]
    Q5K,
    #[value(name = "q6_k")]
    Q6K,
    F16,
}

/// A file of this shape and quantization in `folder`, written if it is not there.
pub(super) fn file(context: &Context, folder: &Path, shape: Shape, quant: Quant) -> Result<PathBuf, Failure> {
    let file = folder.join(format!("random-{}-{}.gguf", value_name(shape), value_name(quant)));
    if file.exists() {
        return Ok(file);
    }
    context.output.note(&format!("writing {}", file.display()));
    let dtype = match quant {
        Quant::Q8_0 => GgmlDType::Q8_0,
        Quant::Q4_0 => GgmlDType::Q4_0,
        Quant::Q4_1 => GgmlDType::Q4_1,
        Quant::Q5_0 => GgmlDType::Q5_0,
        Quant::Q5_1 => GgmlDType::Q5_1,
        Quant::Q4K => GgmlDType::Q4K,
        Quant::Q5K => GgmlDType::Q5K,
        Quant::Q6K => GgmlDType::Q6K,
        Quant::F16 => GgmlDType::F16,
    };
    let shape = match shape {
        Shape::Qwen3 => RandomShape::qwen3_0_6b(),
        Shape::Smollm2 => RandomShape::smollm2_135m(),
        Shape::Llama32 => RandomShape::llama_3_2_1b(),
        Shape::Tiny => RandomShape { context: 4096, ..RandomShape::tiny(sectora_lm::Architecture::Qwen3) },
    };
    write_gguf(&shape, dtype, &file, 0).map_err(|e| Failure::bad_input(format!("{}: {e}", file.display())))?;
    Ok(file)
}

/// As the command line has it.
pub(super) fn value_name<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}
