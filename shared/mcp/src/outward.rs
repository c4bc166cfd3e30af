//! Our nouns as MCP words them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, Prompt, Resource, Tool, ToolAnnotations};
use runcord_model::Refusal;
use runcord_runtime::browse::RunbookPage;
use runcord_runtime::tools::{ToolHint, ToolSpec};
use serde_json::{Value, json};

/// The longest text copy of a result, in bytes: clients warn about more, and cut it.
pub(crate) const LONGEST_TEXT: usize = 40_000;

/// A tool with its schemas and annotations.
pub(crate) fn tool(spec: &ToolSpec) -> Tool {
    let ToolSpec { name, title, description, input, output, hint } = spec;
    Tool::new(name.clone(), description.clone(), Arc::clone(input))
        .with_title(title.clone())
        .with_raw_output_schema(Arc::clone(output))
        .with_annotations(annotations(*hint))
}

/// The hints that clients show. Nothing of ours rests on them. The world is never open: a server acts on one target.
pub(crate) fn annotations(hint: ToolHint) -> ToolAnnotations {
    let closed = ToolAnnotations::new().open_world(false);
    match hint {
        ToolHint::Reads => closed.read_only(true).destructive(false).idempotent(true),
        // Each call makes a plan of its own.
        ToolHint::Plans => closed.read_only(true).destructive(false).idempotent(false),
        // A plan is spent once: a second call is refused and does nothing.
        ToolHint::Applies => closed.read_only(false).destructive(true).idempotent(true),
        ToolHint::Controls => closed.read_only(false).destructive(false).idempotent(true),
    }
}

/// A result or a refusal, as structured content with a text copy.
pub(crate) fn result(answer: Result<Value, Refusal>) -> CallToolResult {
    match answer {
        Ok(value) => {
            let copy = text_copy(&value);
            with_text(CallToolResult::structured(value), copy)
        }
        Err(refusal) => {
            let value = refusal_value(&refusal);
            let copy = text_copy(&value);
            with_text(CallToolResult::structured_error(value), copy)
        }
    }
}

fn with_text(mut result: CallToolResult, copy: String) -> CallToolResult {
    result.content = vec![ContentBlock::text(copy)];
    result
}

fn refusal_value(refusal: &Refusal) -> Value {
    json!({"code": refusal.code, "message": refusal.message, "details": refusal.details, "next": refusal.next})
}

/// The value as JSON; when that is too long, with its longest fields left out, the longest first, and said to be.
fn text_copy(value: &Value) -> String {
    let whole = value.to_string();
    let Value::Object(fields) = value else { return whole };
    if whole.len() <= LONGEST_TEXT {
        return whole;
    }
    let mut sizes: Vec<_> = fields.iter().map(|(name, field)| (field.to_string().len(), name)).collect();
    sizes.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let (mut marks, mut length): (BTreeMap<&String, Value>, usize) = (BTreeMap::new(), whole.len());
    for (size, name) in sizes {
        if length <= LONGEST_TEXT {
            break;
        }
        let mark = Value::from(format!("left out here ({size} bytes): see structuredContent"));
        length = (length + mark.to_string().len()).saturating_sub(size);
        marks.insert(name, mark);
    }
    let short = fields
        .iter()
        .map(|(name, field)| (name.clone(), marks.remove(name).unwrap_or_else(|| field.clone())));
    Value::Object(short.collect()).to_string()
}

/// The address of a runbook.
pub(crate) fn address(name: &str) -> String {
    format!("runbook://{name}")
}

/// A runbook as a resource.
pub(crate) fn resource(page: &RunbookPage) -> Resource {
    Resource::new(address(&page.name), &page.name)
        .with_title(&page.title)
        .with_description(&page.description)
        .with_mime_type("application/yaml")
        .with_size(u64::try_from(page.page.len()).unwrap_or(u64::MAX))
}

/// A runbook as a prompt.
pub(crate) fn prompt(page: &RunbookPage) -> Prompt {
    Prompt::new(&page.name, Some(format!("How to carry out \"{}\" under supervision", page.title)), None)
        .with_title(&page.title)
}
