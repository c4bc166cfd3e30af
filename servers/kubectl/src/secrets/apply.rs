//! Making the request of an act. Values are read right before they are sent, and new ones are made here and nowhere else.
//! A dry-run is sent no value at all. Nothing is sent here.

use http::Request;
use k8s_openapi::ByteString;
use runcord_model::PlanId;
use runcord_runtime::target::{Acted, Unstopped};
use serde_json::Value;

use super::acts::{Keep, Live, Origin, Promote, SecretAct, Stage, Tell, TellTo};
use super::probe::{get, path};
use super::seen::COPY_OF;
use super::values::Values;
use crate::convert::PLAN_MARK;
use crate::exec::{self, Command, Ended, Input, Outcome};
use crate::names::ObjectName;
use crate::probe::ProbeError;
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
        SecretAct::Tell(_) => Err(Unsent::Changed("a command is no request".to_owned())),
    }
}

/// What a backend is told: the value, and the end of its line. Programs that read a password read a line of it, and not
/// every way to a container passes on that standard input is over.
pub(crate) struct Line(pub(super) Vec<u8>);

/// The value that a backend is told, read right before, if the backend's pod and the copy are the ones that were planned.
///
/// The exec API has no precondition: a pod of the same name that becomes ready in the moment after this look would be
/// told the value instead. It is of the same namespace, where whoever may make pods can read the Secret anyway.
pub(crate) async fn value(reader: &Reader, it: &Tell) -> Result<Line, Unsent> {
    let values = copy(reader, &it.live, &it.copy, &it.origin, &it.plan).await?;
    match exec::find(reader, &it.at).await.map_err(ProbeError::from)? {
        Ok(uid) if uid == it.uid => {}
        Ok(_) => {
            return Err(Unsent::Changed(format!(
                "pod {}/{} is not the one that was planned for",
                it.at.namespace, it.at.pod
            )));
        }
        Err(why) => {
            return Err(Unsent::Changed(format!("no command can be run in {} any more: {why}", it.at)));
        }
    }
    let value = values.get(&it.key);
    value
        .map(|ByteString(value)| Line([value.as_slice(), b"\n"].concat()))
        .ok_or_else(|| Unsent::Changed(format!("{} lacks a key that was planned", it.copy)))
}

/// The command, against the proof that the run was not told to stop meanwhile.
pub(crate) fn command<'a>(_unstopped: &Unstopped, it: &'a Tell, line: &'a Line) -> Command<'a> {
    fed(it, line)
}

/// The value comes in on standard input, and in no argument. What the command prints is nobody's business.
pub(super) fn fed<'a>(it: &'a Tell, line: &'a Line) -> Command<'a> {
    Command {
        namespace: &it.at.namespace,
        pod: &it.at.pod,
        container: &it.at.container,
        argv: it.command.texts(),
        input: Input::Bytes(&line.0),
        limit: it.limit,
        output: 0,
    }
}

/// What the end of a command means. One that ends with an exit code has said no; how far it got, only it knows.
pub(crate) fn judge(it: &Tell, outcome: &Outcome) -> Acted {
    let refused = |reason: String| Acted::Refused { reason };
    let lost = |reason: String| Acted::Lost { reason };
    match (outcome, it.purpose) {
        (Outcome::Ended(Ended { code: 0, .. }), _) => Acted::Done,
        // Told by a signal: somebody killed it half-way, as the time limit does.
        (Outcome::Ended(Ended { code, .. }), _) if *code > 128 => {
            lost(format!("the command in {} was killed (exit code {code})", it.at))
        }
        (Outcome::Ended(Ended { code, .. }), TellTo::Learn) => refused(format!(
            "{} did not learn the value (exit code {code}), or a part of it; nobody was given it yet",
            it.at
        )),
        (Outcome::Ended(Ended { code, .. }), TellTo::Test) => refused(format!(
            "{} does not take the value that it was taught (exit code {code}); nobody was given it, {} still holds the one before",
            it.at, it.live.id
        )),
        (Outcome::TimedOut, _) => {
            lost(format!("the command in {} did not end in time and was killed there", it.at))
        }
        (Outcome::Lost(why), _) => {
            lost(format!("{why}; it may still be running, until its time in the container is over"))
        }
        (Outcome::Refused(429) | Outcome::Busy, _) => {
            Acted::Deferred { reason: "too many commands are under way".to_owned() }
        }
        // 422 is what an admission policy says.
        (Outcome::Refused(401 | 403 | 422), _) => refused(format!(
            "the API server, or its admission, does not let these credentials run the command in {}",
            it.at
        )),
        (Outcome::Refused(status), _) => {
            refused(format!("the API server refused the command in {} with status {status}", it.at))
        }
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
        Mode::Real => copy(reader, &it.live, &it.copy, &it.origin, &it.plan).await?,
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

/// The values of a copy: an immutable one of this very Secret, the one that was planned.
async fn copy(
    reader: &Reader,
    live: &Live,
    name: &ObjectName,
    origin: &Origin,
    plan: &PlanId,
) -> Result<Values, Unsent> {
    let object = get(reader, &live.id.namespace, name).await?;
    let annotation = |object: &Value, key: &str| {
        Some(object.pointer("/metadata/annotations")?.get(key)?.as_str()?.to_owned())
    };
    let meant = |object: &Value| {
        object.get("immutable").and_then(Value::as_bool) == Some(true)
            && annotation(object, COPY_OF).as_deref() == Some(live.id.uid.as_str())
            && match origin {
                Origin::Staged => annotation(object, PLAN_MARK).as_deref() == Some(plan.as_str()),
                Origin::Kept { uid } => {
                    object.pointer("/metadata/uid").and_then(Value::as_str) == Some(uid.as_str())
                }
            }
    };
    object
        .filter(meant)
        .and_then(|object| Values::of(&object))
        .ok_or_else(|| Unsent::Changed(format!("{name} is not the copy that was planned")))
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
