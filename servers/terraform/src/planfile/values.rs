//! Before and after of one change, leaf by leaf, with the tool's marks of what is sensitive and of what is not known yet.

use std::collections::BTreeSet;

use serde_json::Value;

/// So many values of one change are shown.
pub(super) const SHOWN: usize = 40;

/// One step of the way to a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A side of a change at one place, as it stands in the plan.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawShown {
    Absent,
    Value(Value),
    Hidden,
    Unknown,
}

/// One leaf that changes. Not cleaned yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawValue {
    pub(super) path: Vec<Step>,
    pub(super) before: RawShown,
    pub(super) after: RawShown,
}

/// What of a value is sensitive: `true` hides it and all that is below it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marks<'v> {
    Hidden,
    Open,
    Below(&'v Value),
}

impl<'v> Marks<'v> {
    /// The marks of a whole value. None at all, or such as do not fit the value, hide all of it.
    pub(super) fn of(value: &Value, marks: Option<&'v Value>) -> Self {
        match marks {
            Some(marks) if fit(marks, value) => Self::from_mark(marks),
            Some(_) | None => Self::Hidden,
        }
    }

    fn from_mark(mark: &'v Value) -> Self {
        match mark {
            Value::Bool(false) => Self::Open,
            Value::Object(_) | Value::Array(_) => Self::Below(mark),
            Value::Bool(true) | Value::Null | Value::Number(_) | Value::String(_) => Self::Hidden,
        }
    }

    pub(super) fn key(self, key: &str) -> Self {
        match self {
            Self::Below(Value::Object(marks)) => marks.get(key).map_or(Self::Open, Self::from_mark),
            Self::Below(_) => Self::Hidden,
            Self::Hidden | Self::Open => self,
        }
    }

    pub(super) fn index(self, index: usize) -> Self {
        match self {
            Self::Below(Value::Array(marks)) => marks.get(index).map_or(Self::Open, Self::from_mark),
            Self::Below(_) => Self::Hidden,
            Self::Hidden | Self::Open => self,
        }
    }

    fn hides(self) -> bool {
        matches!(self, Self::Hidden)
    }
}

/// Whether marks have the shape of what they mark: where they go into a value, the value goes there too.
fn fit(marks: &Value, value: &Value) -> bool {
    match (marks, value) {
        (Value::Bool(_), _) => true,
        // What is not known yet, or not set, is not there.
        (Value::Object(_) | Value::Array(_), Value::Null) => true,
        (Value::Object(marks), Value::Object(fields)) => {
            marks.iter().all(|(key, mark)| fit(mark, fields.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(marks), Value::Array(items)) => {
            marks.iter().enumerate().all(|(i, mark)| fit(mark, items.get(i).unwrap_or(&Value::Null)))
        }
        (Value::Null | Value::Number(_) | Value::String(_) | Value::Object(_) | Value::Array(_), _) => false,
    }
}

/// One place on both sides.
#[derive(Clone, Copy)]
struct Place<'v> {
    before: Option<&'v Value>,
    after: Option<&'v Value>,
    unknown: Option<&'v Value>,
    marks: (Marks<'v>, Marks<'v>),
}

/// Both sides of a change, as the plan has them.
pub(super) struct Sides<'v> {
    pub(super) before: Option<&'v Value>,
    pub(super) after: Option<&'v Value>,
    pub(super) after_unknown: Option<&'v Value>,
    pub(super) before_sensitive: Option<&'v Value>,
    pub(super) after_sensitive: Option<&'v Value>,
}

/// The leaves that change, the first [`SHOWN`] of them, and how many more there are.
pub(super) fn changed(sides: &Sides<'_>) -> (Vec<RawValue>, usize) {
    let top = |value: Option<&Value>, marks| match value {
        Some(value) => Marks::of(value, marks),
        // A side that is not there hides nothing of the other.
        None => Marks::Open,
    };
    let before = sides.before.filter(|value| !value.is_null());
    let after = sides.after.filter(|value| !value.is_null());
    let place = Place {
        before,
        after,
        unknown: sides.after_unknown,
        marks: (top(before, sides.before_sensitive), top(after, sides.after_sensitive)),
    };
    let mut found = Found { values: Vec::new(), more: 0 };
    found.walk(place, &mut Vec::new());
    (found.values, found.more)
}

struct Found {
    values: Vec<RawValue>,
    more: usize,
}

impl Found {
    fn walk(&mut self, at: Place<'_>, path: &mut Vec<Step>) {
        if at.marks.0.hides() || at.marks.1.hides() {
            return self.hidden(at, path);
        }
        if !is_container(at.before) && !is_container(at.after) && !has_below(at.unknown) {
            return self.leaf(at, path);
        }
        // Where only one side goes on below this place, the other one ends here.
        let ends = |side: Option<&Value>| side.is_some_and(|it| !it.is_null()) && !is_container(side);
        if ends(at.before) || ends(at.after) {
            let cut = |side| if is_container(side) { None } else { side };
            self.leaf(Place { before: cut(at.before), after: cut(at.after), unknown: None, ..at }, path);
        }
        let indices = [at.before, at.after, at.unknown].into_iter().flatten().filter_map(Value::as_array);
        let longest = indices.map(Vec::len).max().unwrap_or(0);
        for index in 0..longest {
            let below = |side: Option<&'_ Value>| side.and_then(|it| it.get(index)).is_some();
            if below(at.before) || below(at.after) || below(at.unknown) {
                path.push(Step::Index(index));
                self.walk(at.index(index), path);
                path.pop();
            }
        }
        let fields = [at.before, at.after, at.unknown].into_iter().flatten().filter_map(Value::as_object);
        let keys: BTreeSet<&String> = fields.flat_map(|fields| fields.keys()).collect();
        for key in keys {
            path.push(Step::Key(key.clone()));
            self.walk(at.key(key), path);
            path.pop();
        }
        self.emptied(at, path);
    }

    /// A list or an object that is empty on one side and has no leaf of its own there.
    fn emptied(&mut self, at: Place<'_>, path: &[Step]) {
        let empty = |side: Option<&Value>| match side {
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
        };
        let kept = |side: Option<&Value>| side.filter(|_| empty(side)).cloned();
        let (before, after) = (kept(at.before), kept(at.after));
        if !path.is_empty() && before != after {
            let shown = |side: Option<Value>| side.map_or(RawShown::Absent, RawShown::Value);
            self.push(path, shown(before), shown(after));
        }
    }

    fn leaf(&mut self, at: Place<'_>, path: &[Step]) {
        let unknown = is_unknown(at.unknown);
        if unknown || at.before.unwrap_or(&Value::Null) != at.after.unwrap_or(&Value::Null) {
            let shown = |side: Option<&Value>| match side {
                None | Some(Value::Null) => RawShown::Absent,
                Some(value) => RawShown::Value(value.clone()),
            };
            self.push(path, shown(at.before), if unknown { RawShown::Unknown } else { shown(at.after) });
        }
    }

    /// All that is shown of a hidden place is that it changes.
    fn hidden(&mut self, at: Place<'_>, path: &[Step]) {
        let unknown = is_unknown(at.unknown) || has_below(at.unknown);
        if unknown || at.before.unwrap_or(&Value::Null) != at.after.unwrap_or(&Value::Null) {
            let shown = |side: Option<&Value>| match side {
                None | Some(Value::Null) => RawShown::Absent,
                Some(_) => RawShown::Hidden,
            };
            let after = if is_unknown(at.unknown) { RawShown::Unknown } else { shown(at.after) };
            self.push(path, shown(at.before), after);
        }
    }

    fn push(&mut self, path: &[Step], before: RawShown, after: RawShown) {
        if self.values.len() < SHOWN {
            self.values.push(RawValue { path: path.to_vec(), before, after });
        } else {
            self.more += 1;
        }
    }
}

impl<'v> Place<'v> {
    fn key(self, key: &str) -> Self {
        let below = |side: Option<&'v Value>| side.and_then(|value| value.get(key));
        Self {
            before: below(self.before),
            after: below(self.after),
            unknown: self.unknown_below(below(self.unknown)),
            marks: (
                self.marks.0.below(self.before, |m| m.key(key)),
                self.marks.1.below(self.after, |m| m.key(key)),
            ),
        }
    }

    fn index(self, index: usize) -> Self {
        let below = |side: Option<&'v Value>| side.and_then(|value| value.get(index));
        Self {
            before: below(self.before),
            after: below(self.after),
            unknown: self.unknown_below(below(self.unknown)),
            marks: (
                self.marks.0.below(self.before, |m| m.index(index)),
                self.marks.1.below(self.after, |m| m.index(index)),
            ),
        }
    }

    /// What is not known as a whole is known nowhere below.
    fn unknown_below(self, below: Option<&'v Value>) -> Option<&'v Value> {
        if is_unknown(self.unknown) { self.unknown } else { below }
    }
}

impl<'v> Marks<'v> {
    /// The marks one step on, where the side goes on at all: a side that has ended hides nothing of the other.
    fn below(self, side: Option<&Value>, step: impl Fn(Self) -> Self) -> Self {
        if is_container(side) || self.hides() { step(self) } else { Self::Open }
    }
}

fn is_container(side: Option<&Value>) -> bool {
    matches!(side, Some(Value::Object(_) | Value::Array(_)))
}

/// Anything but `false` and what has parts of its own says that a value is not known.
fn is_unknown(unknown: Option<&Value>) -> bool {
    match unknown {
        None | Some(Value::Bool(false) | Value::Object(_) | Value::Array(_)) => false,
        Some(Value::Bool(true) | Value::Null | Value::Number(_) | Value::String(_)) => true,
    }
}

/// Whether something below is not known.
fn has_below(unknown: Option<&Value>) -> bool {
    let any = |below: &Value| is_unknown(Some(below)) || has_below(Some(below));
    match unknown {
        Some(Value::Object(fields)) => fields.values().any(any),
        Some(Value::Array(items)) => items.iter().any(any),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
    }
}
