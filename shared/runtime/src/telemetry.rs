//! Logs. Standard output belongs to JSON-RPC: everything here goes to standard error.

use tracing_subscriber::EnvFilter;

/// Sends logs to standard error, filtered by `RUNCORD_LOG` (`info` by default). Libraries that log whole
/// requests at `debug` stay at `warn` unless named.
pub fn init() {
    let filter = EnvFilter::try_from_env("RUNCORD_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,rmcp=warn,kube=warn,hyper=warn,tower=warn"));
    // A second call in one process (tests) finds a subscriber set already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
