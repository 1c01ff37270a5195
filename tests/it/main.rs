//! One test binary, by door: each would link candle and the store again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod adapt;
mod architecture;
mod demonstration;
mod gate;
mod hostile;
mod index;
mod interrupted;
mod licences;
mod lists;
mod portfolio;
mod program;
mod query;
mod reader;
mod release;
mod remarks;
mod server;
