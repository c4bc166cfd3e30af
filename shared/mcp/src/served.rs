//! What this crate serves, so that the wire can be tried without a target, a policy and a ledger behind it.

use std::sync::Arc;

use runcord_model::{Principal, Refusal};
use runcord_runtime::browse::RunbookPage;
use runcord_runtime::progress::Progress;
use runcord_runtime::service::Service;
use runcord_runtime::target::{Actions, Target};
use runcord_runtime::tools::ToolSpec;
use serde_json::{Map, Value};

/// A service as a client sees it.
pub(crate) trait Served: Send + Sync + 'static {
    /// What the server is called: `runcord-kubectl`.
    fn name(&self) -> String;
    /// The tools, static for the loaded runbook set.
    fn tools(&self) -> Vec<Arc<ToolSpec>>;
    /// The tool of that name.
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        self.tools().into_iter().find(|spec| spec.name == name)
    }
    /// The runbooks, as resources and prompts.
    fn runbooks(&self) -> Vec<RunbookPage>;
    /// Carries out one call; holds arguments and result against the tool's schemas.
    fn call(
        &self,
        principal: &Principal,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send;
}

impl<T: Target> Served for Service<T> {
    fn name(&self) -> String {
        format!("runcord-{}", T::A::catalog().server)
    }

    fn tools(&self) -> Vec<Arc<ToolSpec>> {
        Service::tools(self)
    }

    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        Service::tool(self, name)
    }

    fn runbooks(&self) -> Vec<RunbookPage> {
        Service::runbooks(self)
    }

    fn call(
        &self,
        principal: &Principal,
        tool: &str,
        args: &Map<String, Value>,
        progress: &Progress,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send {
        Service::call(self, principal, tool, args, progress)
    }
}
