//! A place to run a command in, for tests.

use super::{Command, Input, Limit};
use crate::names::{ContainerName, Namespace, PodName};

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
