//! The only place that knows MCP.
