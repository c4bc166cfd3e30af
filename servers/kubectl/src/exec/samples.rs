//! A place to run a command in, and the other side of a wire, for tests.

use kube::Client;
use tokio::net::TcpListener;

use super::{Command, Input, Limit};
use crate::names::{ContainerName, Namespace, PodName};
use crate::wire::Wire;

/// Where an API server would listen, and the wire that leads there.
pub(crate) async fn listener() -> (TcpListener, Wire) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut config = kube::Config::new(uri);
    config.default_retry = false; // as `connect` has it
    (listener, Wire::new(Client::try_from(config).unwrap()))
}

/// Container `redis` of pod `shop/redis-0`.
pub(crate) struct Place {
    namespace: Namespace,
    pod: PodName,
    container: ContainerName,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            namespace: "shop".parse().unwrap(),
            pod: "redis-0".parse().unwrap(),
            container: "redis".parse().unwrap(),
        }
    }

    pub(crate) fn command<'a>(&'a self, argv: Vec<&'a str>, input: Input<'a>) -> Command<'a> {
        Command {
            namespace: &self.namespace,
            pod: &self.pod,
            container: &self.container,
            argv,
            input,
            limit: Limit::HALF_A_MINUTE,
            output: 64,
        }
    }
}
