//! The HTTP door from outside: no socket where none is needed.

mod fixture;
mod native;
mod openai;
mod refusals;
