//! Kubeconfig files with everything inside, so that one can be copied anywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::pki::Authority;

/// Writes a kubeconfig for a user, readable by its owner only. JSON is YAML.
pub(crate) fn write(
    path: &Path,
    server: &str,
    authority: &Authority,
    user: &str,
    groups: &[&str],
) -> Result<()> {
    let config = content(server, authority, user, groups)?;
    fs::write(path, serde_json::to_string_pretty(&config)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn content(server: &str, authority: &Authority, user: &str, groups: &[&str]) -> Result<Value> {
    let pair = authority.client(user, groups)?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "clusters": [{"name": "test", "cluster": {
            "server": server,
            "certificate-authority-data": base64(authority.certificate()),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate-data": base64(&pair.certificate),
            "client-key-data": base64(&pair.key),
        }}],
    }))
}

/// k8s-openapi's bytes are base64 in JSON, which spares a dependency.
fn base64(text: &str) -> Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}
