//! How a run gets a process of its own: the server starts itself again as the run's worker.

use std::ffi::OsString;
use std::path::PathBuf;

use runcord_model::{Code, Refusal, RunId};

/// How this server is started again. The worker gets the same options, so that it sees the same target.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// This very program.
    pub program: PathBuf,
    /// The options that lead to the same target, ledger and configuration.
    pub args: Vec<OsString>,
    /// Further environment variables that it keeps, by name.
    pub environment: Vec<String>,
    /// Where its output goes.
    pub output: PathBuf,
}

/// What a worker needs to reach a cluster or hosts as the server does; nothing else is inherited.
const ENVIRONMENT: [&str; 27] = [
    "HOME",
    "PATH",
    "USER",
    "LANG",
    "TMPDIR",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    // Where the agent is that holds the keys of hosts.
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "RUNCORD_LOG",
    // What the credential plugins of the large clouds read, and the way out through a proxy.
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "AZURE_CONFIG_DIR",
    "AZURE_CLIENT_ID",
    "HTTPS_PROXY",
    "NO_PROXY",
];

impl Launcher {
    /// Starts the worker of `run`. It detaches itself; this process neither waits for it nor ends it.
    ///
    /// # Errors
    /// `outcome_unknown` when no process could be started: the run is durable and will be taken up.
    pub fn launch(&self, run: &RunId) -> Result<(), Refusal> {
        let keep: Vec<&str> =
            ENVIRONMENT.into_iter().chain(self.environment.iter().map(String::as_str)).collect();
        let started = runcord_exec::Command::new(&self.program)
            .args(&self.args)
            .arg("run-worker")
            .arg("--run")
            .arg(run.as_str())
            .keep_env(&keep)
            .spawn_detached(&self.output, run.as_str());
        match started {
            Ok(_) => Ok(()),
            Err(e) => {
                tracing::error!(%run, error = %crate::refuse::chain(&e), "the run's worker could not be started");
                Err(Refusal::new(
                    Code::OutcomeUnknown,
                    format!("{run} is recorded, but its process could not be started"),
                    format!(
                        "do not apply anything again; call run_status with id {run}: a server takes the run up as soon as it can"
                    ),
                ))
            }
        }
    }
}
