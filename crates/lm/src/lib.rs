//! A local LLM engine on candle.
