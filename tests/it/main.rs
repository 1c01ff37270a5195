//! One test binary, by door: each would link candle and the store again.

mod server;
