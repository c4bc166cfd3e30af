//! What each server is started with.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Result, bail};

use super::assets;

/// The file name of the audit log in the control plane's folder.
pub(crate) const AUDIT_LOG: &str = "audit.log";

/// The loopback ports of one control plane.
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    peer: u16,
    server: u16,
    kubelet: u16,
}

impl Ports {
    /// Free now. All are held together for a moment, so that they differ.
    pub(crate) fn free() -> Result<Self> {
        let listeners: Vec<TcpListener> =
            (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let ports: Vec<u16> =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<_>>()?;
        let [etcd, peer, server, kubelet] = ports[..] else { bail!("four ports were asked for") };
        Ok(Self { etcd, peer, server, kubelet })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.server)
    }
}

pub(crate) fn etcd(ports: &Ports) -> Vec<String> {
    let (client, peer) =
        (format!("http://127.0.0.1:{}", ports.etcd), format!("http://127.0.0.1:{}", ports.peer));
    vec![
        "--name=tests".into(),
        "--data-dir=etcd.data".into(),
        "--unsafe-no-fsync".into(), // the data ends with the process
        "--log-level=warn".into(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=tests={peer}"),
    ]
}

pub(crate) fn kube_apiserver(ports: &Ports, without: &[String]) -> Vec<String> {
    let off: Vec<_> = without.iter().map(|version| format!("{version}=false")).collect();
    vec![
        format!("--runtime-config={}", off.join(",")),
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        format!("--secure-port={}", ports.server),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        "--tls-cert-file=server.crt".into(),
        "--tls-private-key-file=server.key".into(),
        "--client-ca-file=ca.crt".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        "--service-account-key-file=service-accounts.pub".into(),
        "--service-account-signing-key-file=service-accounts.key".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        // A namespace's annotation keeps its pods on the nodes of its own test.
        "--enable-admission-plugins=PodNodeSelector".into(),
        // Node names resolve nowhere, and `logs` asks the kubelet.
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!("--audit-policy-file={}", assets::source("audit.yaml").display()),
        format!("--audit-log-path={AUDIT_LOG}"),
    ]
}

pub(crate) fn kube_controller_manager() -> Vec<String> {
    vec![
        "--kubeconfig=controller-manager.kubeconfig".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        "--use-service-account-credentials=true".into(),
        "--root-ca-file=ca.crt".into(),
        "--service-account-private-key-file=service-accounts.key".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        // At the default rates its start alone takes six seconds.
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
        "--concurrent-deployment-syncs=10".into(),
    ]
}

pub(crate) fn kube_scheduler() -> Vec<String> {
    vec![
        "--kubeconfig=scheduler.kubeconfig".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
    ]
}

pub(crate) fn kwok(ports: &Ports, dir: &Path) -> Vec<String> {
    vec![
        "--kubeconfig=kwok.kubeconfig".into(),
        format!("--config={}", assets::source("stages.yaml").display()),
        format!("--config={}", dir.join("logs.yaml").display()),
        format!("--config={}", dir.join("execs.yaml").display()),
        "--manage-all-nodes=true".into(),
        "--node-ip=127.0.0.1".into(),
        format!("--node-port={}", ports.kubelet),
        format!("--server-address=127.0.0.1:{}", ports.kubelet),
        "--tls-cert-file=server.crt".into(),
        "--tls-private-key-file=server.key".into(),
        "--node-lease-duration-seconds=40".into(),
    ]
}
