//! A queue of 12 for tests: key `orders`, in container `redis` of pod `shop/redis-0`.

use serde_json::json;

use super::acts::{PurgeAct, QueueAct};
use super::fields::{PurgeQueue, QueueAction};
use super::seen::{Found, Question, QueueFocus, QueueSeen, Size};
use crate::seen::{Focus, Seen};

pub(super) fn fields() -> PurgeQueue {
    serde_json::from_value(json!({
        "namespace": "shop", "pod": "redis-0", "container": "redis",
        "preview": ["redis-cli", "-e", "LLEN", {"value": "orders"}],
        "purge": ["redis-cli", "-e", "LTRIM", {"value": "orders"}, "1", "0"],
        "limit": "2m", "size_at_most": 100,
    }))
    .unwrap()
}

pub(super) fn action() -> QueueAction {
    QueueAction::Purge(fields())
}

pub(super) fn size(number: i64) -> Size {
    Size::try_from(number).unwrap()
}

pub(super) fn purge_act(number: i64) -> PurgeAct {
    let it = fields();
    PurgeAct {
        question: Question::before(&it),
        uid: "pod-redis-0".parse().unwrap(),
        purge: it.purge,
        limit: it.limit,
        size: size(number),
    }
}

pub(super) fn purge(number: i64) -> QueueAct {
    QueueAct::Purge(purge_act(number))
}

pub(super) fn told(number: i64) -> Found {
    Found::Told { uid: "pod-redis-0".parse().unwrap(), size: size(number) }
}

pub(super) fn seen(found: Found) -> Seen {
    let question = Question::before(&fields());
    Seen {
        focus: Focus { queues: QueueFocus { queues: vec![question.clone()] }, ..Focus::default() },
        queues: QueueSeen { queues: vec![(question, found)] },
        ..Seen::default()
    }
}
