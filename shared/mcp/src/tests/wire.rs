use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorCode, GetPromptRequestParams, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{NotificationContext, RunningService, ServiceError};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::fake::{FakeService, principal};
use crate::ServeError;
use crate::stdio::serve;

/// A client that keeps the notes of progress it gets.
struct Client(mpsc::UnboundedSender<(f64, Option<f64>, String)>);

impl ClientHandler for Client {
    async fn on_progress(&self, note: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        let _ = self.0.send((note.progress, note.total, note.message.unwrap_or_default()));
    }
}

struct Session {
    service: Arc<FakeService>,
    client: RunningService<RoleClient, Client>,
    notes: mpsc::UnboundedReceiver<(f64, Option<f64>, String)>,
    server: JoinHandle<Result<(), ServeError>>,
}

pub(super) fn eras() -> [ClientLifecycleMode; 2] {
    let newest = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions: newest }]
}

async fn begin(era: ClientLifecycleMode) -> Session {
    let service = Arc::new(FakeService::default());
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(ours);
    let server = tokio::spawn(serve(Arc::clone(&service), principal(), input, output));
    let (sender, notes) = mpsc::unbounded_channel();
    let client = Client(sender).serve_with_lifecycle(theirs, era).await.unwrap();
    Session { service, client, notes, server }
}

impl Session {
    async fn call(&self, tool: &'static str, args: Value) -> Result<CallToolResult, ServiceError> {
        let args = args.as_object().unwrap().clone();
        self.client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await
    }
}

#[tokio::test]
async fn tools_come_with_schemas_and_annotations() {
    for era in eras() {
        let session = begin(era).await;
        let tools = session.client.list_all_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names[..2], ["plan_drain_node", "apply_plan"]);
        let apply = &tools[1];
        assert_eq!(apply.annotations.as_ref().unwrap().destructive_hint, Some(true));
        assert_eq!(apply.input_schema["additionalProperties"], false);
        assert_eq!(apply.output_schema.as_ref().unwrap()["required"], json!(["summary"]));
        let page = PaginatedRequestParams::default().with_cursor(Some("2".to_owned()));
        assert_eq!(code(session.client.list_tools(Some(page)).await), ErrorCode::INVALID_PARAMS);
    }
}

#[tokio::test]
async fn a_call_answers_with_structure_text_and_progress() {
    for era in eras() {
        let mut session = begin(era).await;
        let answer = session.call("plan_drain_node", json!({"node": "n7"})).await.unwrap();
        let expected = json!({"summary": "planned"});
        assert_eq!((answer.is_error, answer.structured_content.as_ref()), (Some(false), Some(&expected)));
        assert_eq!(answer.content[0].as_text().unwrap().text, expected.to_string());
        let calls = session.service.calls.lock().unwrap().clone();
        assert_eq!(calls, [("plan_drain_node by claude for alice".to_owned(), json!({"node": "n7"}))]);
        // The client of rmcp asks for progress with every request; the second note said nothing new.
        let first = tokio::time::timeout(Duration::from_secs(5), session.notes.recv()).await.unwrap();
        assert_eq!(first, Some((1.0, Some(2.0), "looking".to_owned())));
        let second = tokio::time::timeout(Duration::from_secs(5), session.notes.recv()).await.unwrap();
        assert_eq!(second, Some((2.0, Some(2.0), "judging".to_owned())));
    }
}

#[tokio::test]
async fn a_refusal_is_a_result_and_an_unknown_tool_an_error() {
    for era in eras() {
        let session = begin(era).await;
        let refused = session.call("refused", json!({"node": "n7"})).await.unwrap();
        assert_eq!(refused.is_error, Some(true));
        let content = refused.structured_content.unwrap();
        assert_eq!(
            (&content["code"], &content["details"]["rule"]),
            (&json!("policy_denied"), &json!("blast.nodes"))
        );
        assert_eq!(code(session.call("shell", json!({})).await), ErrorCode::INVALID_PARAMS);
    }
}

#[tokio::test]
async fn a_defect_of_ours_is_answered_and_said_to_be_unknown_where_something_may_have_changed() {
    for era in eras() {
        let session = begin(era).await;
        for (tool, expected) in [("panics", "internal"), ("panics_while_applying", "outcome_unknown")] {
            let answer = session.call(tool, json!({"node": "n7"})).await.unwrap();
            assert_eq!(
                (answer.is_error, &answer.structured_content.unwrap()["code"]),
                (Some(true), &json!(expected))
            );
        }
    }
}

#[tokio::test]
async fn runbooks_are_resources_and_prompts() {
    for era in eras() {
        let session = begin(era).await;
        let resources = session.client.list_all_resources().await.unwrap();
        assert_eq!(resources[0].uri, "runbook://drain_node");
        let read = session
            .client
            .read_resource(ReadResourceRequestParams::new("runbook://drain_node"))
            .await
            .unwrap();
        let ResourceContents::TextResourceContents { text, .. } = &read.contents[0] else {
            panic!("not text")
        };
        assert_eq!(text, "kind: Runbook\n");
        session.client.read_resource(ReadResourceRequestParams::new("runbook://../x")).await.unwrap_err();
        assert_eq!(session.client.list_all_prompts().await.unwrap()[0].name, "drain_node");
        let prompt = session.client.get_prompt(GetPromptRequestParams::new("drain_node")).await.unwrap();
        assert_eq!(prompt.messages.len(), 1);
        assert_eq!(
            code(session.client.get_prompt(GetPromptRequestParams::new("x")).await),
            ErrorCode::INVALID_PARAMS
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_not_cut_an_apply_in_half() {
    for era in eras() {
        let (service, _) = leave_during("apply_plan", era).await;
        assert!(service.applied.load(Ordering::SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_not_waited_for_by_a_long_look() {
    for era in eras() {
        let (service, took) = leave_during("long_look", era).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(!service.applied.load(Ordering::SeqCst));
    }
}

/// Begins a call, leaves before it is answered, and waits for the server to end.
async fn leave_during(tool: &'static str, era: ClientLifecycleMode) -> (Arc<FakeService>, Duration) {
    let Session { service, client, server, .. } = begin(era).await;
    let peer = client.peer().clone();
    let args = json!({"node": "n7"}).as_object().unwrap().clone();
    tokio::spawn(async move { peer.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await });
    while service.calls.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let left = tokio::time::Instant::now();
    client.cancel().await.unwrap();
    server.await.unwrap().unwrap();
    (service, left.elapsed())
}

#[tokio::test]
async fn a_client_that_leaves_at_once_is_no_failure() {
    let (input, output) = (tokio::io::empty(), tokio::io::sink());
    serve(Arc::new(FakeService::default()), principal(), input, output).await.unwrap();
}

fn code<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> ErrorCode {
    match answer {
        Err(ServiceError::McpError(error)) => error.code,
        other => panic!("{other:?}"),
    }
}
