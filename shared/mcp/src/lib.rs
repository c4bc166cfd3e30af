//! The only place that knows MCP: rmcp to and from our nouns, in both protocol eras.
//!
//! What a tool does, and whether its arguments follow their schema, is decided behind [`served::Served`]; here
//! calls are carried over and answered. Standard output carries JSON-RPC only. [`program`] is what every server's binary is.

mod call;
mod handler;
mod outward;
pub mod program;
mod served;
mod stdio;

pub use stdio::{ServeError, serve_stdio};

#[cfg(test)]
mod tests;
