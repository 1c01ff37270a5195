//! The HTTP door from outside: no socket where none is needed.

mod engine;
mod fixture;
mod native;
mod openai;
mod portfolio;
mod process;
mod refusals;
mod succession;
