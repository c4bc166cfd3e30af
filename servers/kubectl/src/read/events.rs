//! `recent_events`: of a namespace or of one object, warnings first, in pages.
//!
//! The API server lists events by name, not by time, so a bounded number is read and ordered here. A page's cursor is
//! the place of its last event in that order: events that come later stand before it and shift nothing.

use std::cmp::Reverse;

use runcord_model::{Code, Refusal};
use schemars::JsonSchema;
use serde::Serialize;

use super::event::{self, Event, EventLine, EventType, More, Query, Rank};
use super::secrets::{self, Known, Redaction};
use crate::actions::{EventsShown, RecentEvents};
use crate::names::{KindName, Namespace, ObjectName, PageCursor};
use crate::reader::{ReadError, Reader};

/// So many events of one type are read at most.
const WINDOW: usize = 2_000;
/// So many events are on one page.
const LINES: usize = 25;
/// The events of one page, in bytes of JSON.
const LINES_BYTES: usize = 6_500;

/// What `recent_events` returns.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// The namespace.
    pub namespace: Namespace,
    /// The kind of the object asked for; null for all.
    pub object_kind: Option<KindName>,
    /// The name of the object asked for; null for all.
    pub object_name: Option<ObjectName>,
    /// Events found, on this page or not. Normal ones are not read while warnings fill the page.
    pub found: usize,
    /// Whether anything was left out.
    pub truncated: EventsLeftOut,
    /// Give this as `page` to read on; null when this is the last page.
    pub next_page: Option<PageCursor>,
    /// What was redacted of their messages.
    pub redaction: Redaction,
    /// The events of this page: warnings first, the newest of each first.
    pub events: Vec<EventLine>,
}

/// Whether anything was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum EventsLeftOut {
    /// Nothing.
    No,
    /// There are more pages.
    MorePages,
    /// There are more events than are read, so newer ones may be missing; ask for one object.
    WindowTooLarge,
}

pub(super) async fn read(reader: &Reader, asked: &RecentEvents) -> Result<Events, Refusal> {
    let after = asked.page.as_ref().map(cursor).transpose()?;
    let (known, found) =
        futures::join!(secrets::of(reader, &asked.namespace), window(reader, asked, after.as_ref()));
    let (events, more) = found?;
    Ok(page(asked, events, more, after.as_ref(), &Shown { known: known?, most_bytes: LINES_BYTES }))
}

/// As many events as are read, and whether there are more.
async fn window(
    reader: &Reader,
    asked: &RecentEvents,
    after: Option<&Rank>,
) -> Result<(Vec<Event>, More), ReadError> {
    let mut events = Vec::new();
    let mut more = More::None;
    for of in wanted(asked, after) {
        let query = Query {
            namespace: &asked.namespace,
            kind: asked.object_kind.as_ref(),
            name: asked.object_name.as_ref(),
            of,
        };
        let found = event::list(reader, query, WINDOW).await?;
        if found.more == More::Unread {
            more = More::Unread;
        }
        events.extend(found.events);
        if events.len() > LINES && after.is_none() {
            break;
        }
    }
    Ok((events, more))
}

/// How events are shown.
struct Shown {
    known: Known,
    /// The events of one page, in bytes of JSON.
    most_bytes: usize,
}

/// The types to ask for, in the order in which they are shown.
fn wanted(asked: &RecentEvents, after: Option<&Rank>) -> Vec<EventType> {
    let mut all = vec![EventType::Warning];
    if asked.show == EventsShown::All {
        all.push(EventType::Normal);
    }
    all.retain(|of| after.is_none_or(|(reached, ..)| of >= reached));
    all
}

fn page(asked: &RecentEvents, events: Vec<Event>, more: More, after: Option<&Rank>, shown: &Shown) -> Events {
    // Warnings fill the page: the normal ones were not asked for, and come later.
    let unasked = asked.show == EventsShown::All
        && after.is_none()
        && events.iter().all(|event| event.event_type() == EventType::Warning)
        && events.len() > LINES;
    let mut ranked: Vec<(Rank, Event)> = events.into_iter().map(|event| (event.rank(), event)).collect();
    let found = ranked.len();
    ranked.retain(|(rank, _)| after.is_none_or(|after| rank > after));
    ranked.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut lines, mut bytes, mut last) = (Vec::new(), 0, None);
    for (rank, event) in ranked.iter().take(LINES) {
        let line = event.line(&shown.known.cleaner);
        bytes += serde_json::to_string(&line).map_or(shown.most_bytes, |text| text.len() + 1);
        if bytes > shown.most_bytes && !lines.is_empty() {
            break;
        }
        lines.push(line);
        last = Some(rank);
    }
    let left = lines.len() < ranked.len() || unasked;
    let next_page = last.filter(|_| left).and_then(written);
    let truncated = match (more, &next_page) {
        (More::Unread, _) => EventsLeftOut::WindowTooLarge,
        (More::None, Some(_)) => EventsLeftOut::MorePages,
        (More::None, None) => EventsLeftOut::No,
    };
    Events {
        namespace: asked.namespace.clone(),
        object_kind: asked.object_kind.clone(),
        object_name: asked.object_name.clone(),
        found,
        truncated,
        next_page,
        redaction: shown.known.redaction,
        events: lines,
    }
}

/// The cursor that stands for a place in the order: `w~MICROSECONDS~UID`.
fn written((kind, Reverse(micros), uid): &Rank) -> Option<PageCursor> {
    let kind = match kind {
        EventType::Warning => 'w',
        EventType::Normal => 'n',
    };
    PageCursor::try_from(format!("{kind}~{micros}~{uid}")).ok()
}

fn cursor(text: &PageCursor) -> Result<Rank, Refusal> {
    let parts = || {
        let mut parts = text.as_str().splitn(3, '~');
        let kind = match parts.next()? {
            "w" => EventType::Warning,
            "n" => EventType::Normal,
            _ => return None,
        };
        Some((kind, Reverse(parts.next()?.parse().ok()?), parts.next()?.to_owned()))
    };
    parts().ok_or_else(|| {
        Refusal::new(
            Code::InvalidParams,
            "page: must be the `next_page` of the page before",
            "Leave `page` out to begin again.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(most_bytes: usize) -> Shown {
        Shown { known: Known::by_shape(), most_bytes }
    }

    fn ask() -> RecentEvents {
        RecentEvents {
            namespace: "shop".parse().unwrap(),
            object_kind: None,
            object_name: None,
            show: EventsShown::All,
            page: None,
        }
    }

    fn events(count: usize, kind: &str) -> Vec<Event> {
        let one = |n: usize| {
            json!({
                "metadata": {"uid": format!("{kind}-{n:04}")}, "type": kind, "reason": "BackOff",
                "message": format!("{n}"), "involvedObject": {"kind": "Pod", "name": "web-1"},
                "lastTimestamp": format!("2026-11-22T10:{:02}:{:02}Z", n / 60, n % 60)
            })
        };
        (0..count).map(|n| serde_json::from_value(one(n)).unwrap()).collect()
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_and_warnings_first() {
        let all = || events(70, "Normal").into_iter().chain(events(40, "Warning"));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = page(&ask(), all().collect(), More::None, after.as_ref(), &shown(LINES_BYTES));
            seen.extend(page.events.iter().map(|line| (line.kind, line.untrusted.clone())));
            let Some(next) = page.next_page else { break };
            assert_eq!(page.truncated, EventsLeftOut::MorePages);
            after = Some(cursor(&next).unwrap());
        }
        let newest = |kind, n: usize| (0..n).rev().map(move |n| (kind, n.to_string()));
        let wanted: Vec<_> = newest(EventType::Warning, 40).chain(newest(EventType::Normal, 70)).collect();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn normal_ones_that_were_not_asked_for_are_on_a_later_page() {
        let page = page(&ask(), events(LINES + 1, "Warning"), More::None, None, &shown(1_000_000));
        assert!(page.next_page.is_some());
        let reached = cursor(&page.next_page.unwrap()).unwrap();
        assert_eq!(wanted(&ask(), Some(&reached)), [EventType::Warning, EventType::Normal]);
    }

    #[test]
    fn what_is_not_read_is_said() {
        let page = page(&ask(), events(3, "Warning"), More::Unread, None, &shown(LINES_BYTES));
        assert_eq!(page.truncated, EventsLeftOut::WindowTooLarge);
    }

    #[test]
    fn a_page_keeps_to_its_size() {
        let long = |n: usize| json!({"metadata": {"uid": format!("u-{n}")}, "type": "Warning", "message": "\"".repeat(9_000)});
        let all: Vec<Event> = (0..200).map(|n| serde_json::from_value(long(n)).unwrap()).collect();
        let page = page(&ask(), all, More::None, None, &shown(LINES_BYTES));
        assert!(serde_json::to_string(&page).unwrap().len() < 8 * 1024);
        assert!(page.next_page.is_some());
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        for bad in ["x~1~u", "w~u", "w~~u", "w~1"] {
            assert!(cursor(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
