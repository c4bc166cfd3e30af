//! The wire with the real service behind it, the policy that ships, and a lamp for a target.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{CallToolRequestParams, ErrorCode};
use rmcp::service::{RunningService, ServiceError};
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use runcord_model::Principal;
use runcord_runtime::launch::Launcher;
use runcord_runtime::library::Library;
use runcord_runtime::service::Service;
use runcord_runtime::settings::{Origin, Settings};
use runcord_runtime::target::Actions;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fake::principal;
use super::fake_target::{FakeActions, FakeTarget, RUNBOOKS};
use super::wire::eras;
use crate::stdio::serve;

struct Session {
    client: RunningService<RoleClient, ()>,
    touched: Arc<AtomicUsize>,
    _folder: TempDir,
}

async fn begin(era: ClientLifecycleMode, principal: Principal) -> Session {
    let folder = tempfile::tempdir().unwrap();
    let runbooks = folder.path().join("runbooks");
    std::fs::create_dir(&runbooks).unwrap();
    for (name, text) in RUNBOOKS {
        std::fs::write(runbooks.join(name), text).unwrap();
    }
    let settings = Settings {
        runbooks: Origin::Folder(runbooks),
        optional_runbooks: Vec::new(),
        policy: Origin::Shipped,
        state: folder.path().join("state"),
        config: folder.path().join("runcord.yaml"),
        agent: principal.requester.clone(),
        worker_environment: Vec::new(),
    };
    let launcher = Launcher {
        program: "/nowhere/at-all".into(),
        args: Vec::new(),
        environment: Vec::new(),
        output: folder.path().join("output"),
    };
    let library =
        Library::load(&settings, FakeActions::catalog()).unwrap_or_else(|e| panic!("{e}: {:?}", e.problems));
    let target = FakeTarget::default();
    let touched = Arc::clone(&target.touched);
    let service = Arc::new(Service::new(target, library, settings, launcher).await.unwrap());
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(ours);
    tokio::spawn(serve(service, principal, input, output));
    let client = ().serve_with_lifecycle(theirs, era).await.unwrap();
    Session { client, touched, _folder: folder }
}

impl Session {
    /// The structured content; its code, where it is a refusal.
    async fn call(&self, tool: &'static str, args: Value) -> Result<Value, String> {
        let args = args.as_object().unwrap().clone();
        let answer =
            self.client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await.unwrap();
        let content = answer.structured_content.unwrap();
        if answer.is_error == Some(true) {
            Err(content["code"].as_str().unwrap().to_owned())
        } else {
            Ok(content)
        }
    }
}

#[tokio::test]
async fn the_tools_are_those_of_the_runbooks_and_those_that_every_server_has() {
    for era in eras() {
        let session = begin(era, principal()).await;
        let mut names: Vec<_> = session
            .client
            .list_all_tools()
            .await
            .unwrap()
            .into_iter()
            .map(|tool| tool.name.into_owned())
            .collect();
        names.sort();
        let expected = [
            "apply_plan",
            "lamp_status",
            "plan_switch_lamp",
            "pull_cord",
            "run_cancel",
            "run_status",
            "runbook_search",
            "undo_plan",
        ];
        assert_eq!(names, expected);
        let unknown = session.client.call_tool(CallToolRequestParams::new("switch_lamp")).await.unwrap_err();
        assert!(matches!(unknown, ServiceError::McpError(e) if e.code == ErrorCode::INVALID_PARAMS));
    }
}

#[tokio::test]
async fn a_plan_is_made_shown_and_not_applied_without_authority() {
    for era in eras() {
        let session = begin(era, principal()).await;
        let plan =
            session.call("plan_switch_lamp", json!({"level": 3, "reason": "it is dark"})).await.unwrap();
        assert_eq!(plan["diff"][0]["text"], "level 1 to 3");
        assert_eq!(plan["decision"]["outcome"], "allow", "{plan}");
        let status = session.call("run_status", json!({"id": plan["plan_id"]})).await.unwrap();
        assert_eq!(status["plan_id"], plan["plan_id"]);
        let apply = |expect: Value| json!({"plan_id": plan["plan_id"], "expect": expect});
        session.call("apply_plan", apply(json!("switch lamp to 4"))).await.unwrap_err();
        let refused = session.call("apply_plan", apply(plan["headline"].clone())).await.unwrap_err();
        assert_eq!(refused, "not_in_authority");
    }
}

#[tokio::test]
async fn a_read_comes_back_cleaned_and_under_untrusted() {
    for era in eras() {
        let session = begin(era, principal()).await;
        let read = session.call("lamp_status", json!({})).await.unwrap();
        assert_eq!(read["look"], json!({"untrusted": "on‹U+202E›"}));
    }
}

#[tokio::test]
async fn what_the_schema_or_policy_refuses_never_reaches_the_target() {
    for era in eras() {
        let session = begin(era.clone(), principal()).await;
        for args in [
            json!({"level": 11, "reason": "x"}),
            json!({"level": 1}),
            json!({"level": 1, "reason": "x", "f": 1}),
        ] {
            assert_eq!(session.call("plan_switch_lamp", args).await.unwrap_err(), "invalid_params");
        }
        assert_eq!(session.touched.load(Ordering::SeqCst), 0);
        let stranger = Principal { requester: "stranger".parse().unwrap(), ..principal() };
        let session = begin(era, stranger).await;
        let refused = session.call("plan_switch_lamp", json!({"level": 1, "reason": "x"})).await.unwrap_err();
        assert_eq!(refused, "policy_denied");
        assert_eq!(session.call("lamp_status", json!({})).await.unwrap_err(), "policy_denied");
        assert_eq!(session.touched.load(Ordering::SeqCst), 0);
    }
}
