//! The API server's audit log: what was really asked of it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Cluster;

/// A place in the audit log, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// One answered request, as the API server logged it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// Who asked.
    pub user: User,
    /// What the client said it was.
    #[serde(default)]
    pub user_agent: String,
    /// What it was about; absent for paths that are no objects.
    pub object_ref: Option<ObjectRef>,
    /// The HTTP status.
    pub response_status: Option<Status>,
}

/// A user of the API server.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The user name.
    pub username: String,
}

/// The object of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    /// The plural, such as `pods`.
    pub resource: String,
    /// Such as `eviction`; empty when there is none.
    pub subresource: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Empty for lists.
    pub name: String,
}

/// The answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
}

impl AuditEvent {
    /// Whether it asked for a change, dry or not.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
            && !self.is_review()
    }

    /// Whether the query asks for a dry run. One that stands in the body alone is not visible in a log.
    pub fn is_dry_run(&self) -> bool {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair == "dryRun=All")
    }

    /// `create` of a review asks a question and stores nothing.
    fn is_review(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| object.resource.ends_with("reviews"))
    }
}

pub(crate) fn mark(log: &Path) -> Result<Mark> {
    Ok(Mark(fs::metadata(log).with_context(|| format!("cannot read {}", log.display()))?.len()))
}

/// What `user` asked since the mark. An answer may reach its client before the log: a request of our own is made and
/// waited for, so that those before it are in the log too.
pub(crate) async fn events_since(
    cluster: &Cluster,
    log: &Path,
    mark: Mark,
    user: &str,
) -> Result<Vec<AuditEvent>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let sentinel =
        format!("/version?sentinel={}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    cluster.client().request_text(http::Request::get(&sentinel).body(Vec::new())?).await?;
    let mut events =
        crate::cluster::wait_for("the audit log to be complete", Duration::from_secs(10), async || {
            let events = read(log, mark)?;
            Ok(events.iter().any(|event| event.uri == sentinel).then_some(events))
        })
        .await?;
    events.retain(|event| event.user.username == user && event.uri != sentinel);
    Ok(events)
}

fn read(log: &Path, mark: Mark) -> Result<Vec<AuditEvent>> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(mark.0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // The last line may still be in the making.
    let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    whole
        .lines()
        .map(|line| serde_json::from_str(line).context("a line of the audit log cannot be read"))
        .collect()
}
