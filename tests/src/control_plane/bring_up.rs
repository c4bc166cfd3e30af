//! The order in which the servers come up, and what each waits for.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use tokio::time::{Instant, sleep};

use super::flags::{self, Ports};
use super::parts::Part;
use super::pki::{self, Authority};
use super::{ADMIN, MASTERS, kubeconfig, played};
use crate::Cluster;

/// How long a server may take to become ready, on a machine that also builds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Certificates, kubeconfigs, played logs and programs.
pub(crate) fn write_files(dir: &Path, authority: &Authority, ports: &Ports) -> Result<()> {
    let server = authority.server()?;
    fs::write(dir.join("ca.crt"), authority.certificate())?;
    fs::write(dir.join("server.crt"), &server.certificate)?;
    fs::write(dir.join("server.key"), &server.key)?;
    let (private, public) = pki::service_account_keys()?;
    fs::write(dir.join("service-accounts.key"), private)?;
    fs::write(dir.join("service-accounts.pub"), public)?;
    for (name, user, groups) in [
        ("admin", ADMIN, &[MASTERS][..]),
        ("kwok", "kwok", &[MASTERS]),
        ("controller-manager", "system:kube-controller-manager", &[]),
        ("scheduler", "system:kube-scheduler", &[]),
    ] {
        kubeconfig::write(&dir.join(format!("{name}.kubeconfig")), &ports.url(), authority, user, groups)?;
    }
    played::write_logs(dir)?;
    played::write_programs(dir)
}

/// Starts all servers into `parts`, and returns when they answer. The API server does not serve `without`.
pub(crate) fn bring_up(
    assets: &Path,
    dir: &Path,
    ports: &Ports,
    without: &[String],
    parts: &mut Vec<Part>,
) -> Result<()> {
    // The thread is the servers' parent, so everything happens on it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        parts.push(Part::spawn(assets, dir, "etcd", &flags::etcd(ports))?);
        wait(parts, "etcd", async || TcpStream::connect((Ipv4Addr::LOCALHOST, ports.etcd)).is_ok()).await?;

        parts.push(Part::spawn(assets, dir, "kube-apiserver", &flags::kube_apiserver(ports, without))?);
        let client = Cluster::connect(&dir.join("admin.kubeconfig")).await?.client();
        wait(parts, "kube-apiserver", async || ready(&client).await).await?;

        let controllers = flags::kube_controller_manager();
        parts.push(Part::spawn(assets, dir, "kube-controller-manager", &controllers)?);
        parts.push(Part::spawn(assets, dir, "kube-scheduler", &flags::kube_scheduler())?);
        parts.push(Part::spawn(assets, dir, "kwok", &flags::kwok(ports, dir))?);
        let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
        wait(parts, "kube-controller-manager", async || accounts.get("default").await.is_ok()).await
    })
}

async fn ready(client: &kube::Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok()
}

/// Waits for one server while none of them ends.
async fn wait(parts: &mut [Part], name: &str, mut answers: impl AsyncFnMut() -> bool) -> Result<()> {
    let patience = Instant::now() + PATIENCE;
    while !answers().await {
        for part in &mut *parts {
            part.check().with_context(|| format!("while waiting for {name}"))?;
        }
        if Instant::now() > patience {
            bail!("{name} was not ready within {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
