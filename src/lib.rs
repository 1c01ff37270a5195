//! Sectora answers the questions of an industry's researchers from that industry's own R&D documents.
//!
//! The map, in the order data flows; a module knows only modules above it:

#![forbid(unsafe_code)]

pub mod error;

pub mod document;
pub mod text;

pub mod release;

pub mod config;
pub mod ingest;
pub mod sector;

pub mod model_store;

pub mod embed;
pub mod generate;
pub mod index;
pub mod prompt;

pub mod retrieve;

pub mod answer;
pub mod portfolio;

pub mod app;

pub mod evaluate;
pub mod server;

pub mod adapt;

pub mod cli;
