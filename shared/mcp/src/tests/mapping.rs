use runcord_model::{Code, Refusal};
use runcord_runtime::tools::ToolHint;
use serde_json::{Value, json};

use crate::call::lost_answer;
use crate::outward::{LONGEST_TEXT, annotations, result};

fn text(result: &rmcp::model::CallToolResult) -> Value {
    serde_json::from_str(&result.content[0].as_text().unwrap().text).unwrap()
}

#[test]
fn only_apply_is_destructive_and_only_looking_is_read_only() {
    for (hint, read_only, destructive) in [
        (ToolHint::Reads, true, false),
        (ToolHint::Plans, true, false),
        (ToolHint::Applies, false, true),
        (ToolHint::Controls, false, false),
    ] {
        let given = annotations(hint);
        assert_eq!(
            (given.read_only_hint, given.destructive_hint, given.open_world_hint),
            (Some(read_only), Some(destructive), Some(false)),
            "{hint:?}"
        );
    }
}

#[test]
fn a_refusal_is_an_error_result_with_a_text_copy() {
    let refusal = Refusal::new(Code::PlanDrifted, "it moved", "plan again").with_details(json!({"at": "/0"}));
    let given = result(Err(refusal));
    let expected =
        json!({"code": "plan_drifted", "message": "it moved", "details": {"at": "/0"}, "next": "plan again"});
    assert_eq!((given.is_error, given.structured_content.as_ref()), (Some(true), Some(&expected)));
    assert_eq!(text(&given), expected);
}

#[test]
fn a_long_result_keeps_its_structure_and_shortens_its_text() {
    let value = json!({"diff": "x".repeat(50_000), "next": "apply it", "steps": ["y".repeat(30_000)]});
    let given = result(Ok(value.clone()));
    assert_eq!((given.is_error, given.structured_content.as_ref()), (Some(false), Some(&value)));
    let copy = text(&given);
    assert!(copy.to_string().len() <= LONGEST_TEXT);
    assert_eq!((&copy["next"], &copy["steps"]), (&value["next"], &value["steps"]));
    assert!(copy["diff"].as_str().unwrap().starts_with("left out here (50002 bytes)"));
}

#[test]
fn a_lost_answer_is_never_taken_for_nothing_done() {
    for (hint, code) in [
        (ToolHint::Reads, Code::Internal),
        (ToolHint::Plans, Code::Internal),
        (ToolHint::Applies, Code::OutcomeUnknown),
        (ToolHint::Controls, Code::OutcomeUnknown),
    ] {
        assert_eq!(lost_answer(hint).code, code);
    }
}
