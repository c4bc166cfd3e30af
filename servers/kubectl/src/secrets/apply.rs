//! Making the request of an act. Values are read right before they are sent, and new ones are made here and nowhere else.
//! A dry-run is sent no value at all. Nothing is sent here.

use http::Request;
use serde_json::Value;

use super::acts::{Keep, Live, Origin, Promote, SecretAct, Stage};
use super::probe::{get, path};
use super::seen::COPY_OF;
use super::values::Values;
use crate::convert::PLAN_MARK;
use crate::reader::Reader;
use crate::requests::{MANAGER, Mode, Unwritable, patch_at};
use crate::upkeep::apply::Unsent;

/// The request of an act, made of what is there now.
pub(crate) async fn request(
    reader: &Reader,
    act: &SecretAct,
    mode: Mode,
) -> Result<Request<Vec<u8>>, Unsent> {
    match act {
        SecretAct::Keep(it) => keep(reader, it, mode).await,
        SecretAct::Stage(it) => stage(reader, it, mode).await,
        SecretAct::Promote(it) => promote(reader, it, mode).await,
    }
}

async fn keep(reader: &Reader, it: &Keep, mode: Mode) -> Result<Request<Vec<u8>>, Unsent> {
    let values = live(reader, &it.live).await?;
    built(create(&it.live, &it.body(&in_mode(values, mode)), mode))
}

async fn stage(reader: &Reader, it: &Stage, mode: Mode) -> Result<Request<Vec<u8>>, Unsent> {
    let values = live(reader, &it.live).await?;
    let values = match mode {
        Mode::DryRun => in_mode(values, mode),
        Mode::Real => {
            values.renewed(&it.keys, it.length).map_err(|none| Unsent::Changed(none.to_string()))?
        }
    };
    built(create(&it.live, &it.body(&values), mode))
}

async fn promote(reader: &Reader, it: &Promote, mode: Mode) -> Result<Request<Vec<u8>>, Unsent> {
    let values = match mode {
        Mode::DryRun => Values::placeholders("Opaque", &it.keys),
        Mode::Real => copy(reader, it).await?,
    };
    if !it.keys.is_subset(&values.keys()) {
        return Err(Unsent::Changed(format!("{} lacks a key that was planned", it.copy)));
    }
    built(patch_at(&path(&it.live.id.namespace, &it.live.id.name), &it.operations(&values), mode))
}

/// What the Secret holds, if nobody has written to it since it was seen.
async fn live(reader: &Reader, live: &Live) -> Result<Values, Unsent> {
    let (namespace, name) = (&live.id.namespace, &live.id.name);
    let object = get(reader, namespace, name).await?;
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let same = |object: &Value| {
        text(object, "/metadata/uid").as_deref() == Some(live.id.uid.as_str())
            && text(object, "/metadata/resourceVersion").as_deref() == Some(live.resource_version.as_str())
    };
    object
        .filter(same)
        .and_then(|object| Values::of(&object))
        .ok_or_else(|| Unsent::Changed(format!("{} is not as it was planned any more", live.id)))
}

/// The values that are put in: of an immutable copy of this very Secret, the one that was planned.
async fn copy(reader: &Reader, it: &Promote) -> Result<Values, Unsent> {
    let object = get(reader, &it.live.id.namespace, &it.copy).await?;
    let annotation = |object: &Value, key: &str| {
        Some(object.pointer("/metadata/annotations")?.get(key)?.as_str()?.to_owned())
    };
    let meant = |object: &Value| {
        object.get("immutable").and_then(Value::as_bool) == Some(true)
            && annotation(object, COPY_OF).as_deref() == Some(it.live.id.uid.as_str())
            && match &it.origin {
                Origin::Staged => annotation(object, PLAN_MARK).as_deref() == Some(it.plan.as_str()),
                Origin::Kept { uid } => {
                    object.pointer("/metadata/uid").and_then(Value::as_str) == Some(uid.as_str())
                }
            }
    };
    object
        .filter(meant)
        .and_then(|object| Values::of(&object))
        .ok_or_else(|| Unsent::Changed(format!("{} is not the copy that was planned", it.copy)))
}

fn in_mode(values: Values, mode: Mode) -> Values {
    match mode {
        Mode::Real => values,
        Mode::DryRun => Values::placeholders(values.type_name(), &values.keys()),
    }
}

fn create(live: &Live, body: &Value, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let namespace = &live.id.namespace;
    let request = Request::post(format!(
        "/api/v1/namespaces/{namespace}/secrets?fieldManager={MANAGER}{}",
        mode.query()
    ))
    .header(http::header::ACCEPT, "application/json")
    .header(http::header::CONTENT_TYPE, "application/json")
    .body(serde_json::to_vec(body)?)?;
    Ok(request)
}

fn built(request: Result<Request<Vec<u8>>, Unwritable>) -> Result<Request<Vec<u8>>, Unsent> {
    request.map_err(|_| Unsent::Changed("the request could not be built".to_owned()))
}
