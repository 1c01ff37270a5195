//! BERT-family encoders through candle. (helper: embed)
/// How to run an encoder.
pub struct EncoderOptions;
/// A transformer encoder on candle.
pub struct TransformerEncoder;
