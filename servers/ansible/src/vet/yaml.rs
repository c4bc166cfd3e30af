//! YAML as it is written: every node with its line, and whatever one reader may take otherwise than another.
//!
//! Ansible reads YAML 1.1 with a reader of its own. So what the two versions, or two readers, may disagree about is not
//! resolved here but told: a character that breaks lines in one of them, an anchor, a tag, a key that stands twice. No
//! scalar is given a type: `no`, `"no"` and `false` are for the rules to tell apart.

use granit_parser::{Event, Options, Parser, ScalarStyle};

use super::finding::Kind;

/// Deeper than this, nobody reads a playbook either.
const DEEPEST: usize = 48;

/// A longer file is not read: none that a person wrote is.
const LONGEST: usize = 512 * 1024;

/// One node of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: u32,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A scalar without quotes: what it means is in its letters.
    Plain(String),
    /// A scalar in quotes or in a block: text.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Of the key.
    pub(crate) line: u32,
    pub(crate) node: Node,
}

impl Node {
    /// The letters of a scalar, quoted or not.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether nothing is given.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Plain(text) if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Plain(_) | Value::Text(_) | Value::Map(_) => None,
        }
    }

    /// The entries of a mapping.
    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Plain(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// What a mapping has under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        find(self.map()?, key)
    }

    /// The items of a list, or the one thing that stands in the place of a list.
    pub(crate) fn each(&self) -> &[Node] {
        self.list().unwrap_or(std::slice::from_ref(self))
    }
}

/// What stands under a key.
pub(crate) fn find<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Node> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
}

/// A document as far as it could be read, and what is odd about it, by line.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) root: Option<Node>,
    pub(crate) odd: Vec<(u32, Kind)>,
}

/// Reads the one document of a file.
pub(crate) fn read(text: &str) -> Read {
    let mut builder = Builder::default();
    if let Some(line) = disputed(text) {
        builder.odd.push((line, Kind::DisputedCharacter));
    }
    if text.len() > LONGEST {
        return Read { root: None, odd: vec![(1, Kind::UnreadableYaml)] };
    }
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options.disallow_directives = true;
    options.emit_comments = false;
    options.block_scalar_eof_without_line_feed = true;
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.take(event, line(span.start.line())),
            Err(error) => {
                builder.odd.push((line(error.marker().line()), Kind::UnreadableYaml));
                return Read { root: None, odd: builder.odd };
            }
        }
    }
    Read { root: builder.root, odd: builder.odd }
}

/// The first line with a character that one reader takes for a break, for blank space or for nothing, and another does not.
fn disputed(text: &str) -> Option<u32> {
    let known =
        |c: char| c == '\n' || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'));
    let at = text.chars().take_while(|c| known(*c)).filter(|c| *c == '\n').count();
    text.chars().any(|c| !known(c)).then(|| line(at + 1))
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A collection that is not closed yet.
enum Open {
    List(u32, Vec<Node>),
    Map(u32, Vec<Entry>, Option<(u32, String)>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    odd: Vec<(u32, Kind)>,
}

impl Builder {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the reader's, which has more of them by features of its own"
    )]
    fn take(&mut self, event: Event<'_>, line: u32) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.odd.push((line, Kind::UnreadableYaml));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.properties(line, anchor, tag.is_some());
                let text = text.into_owned();
                let value = if style == ScalarStyle::Plain { Value::Plain(text) } else { Value::Text(text) };
                self.put(Node { line, value });
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.properties(line, anchor, tag.is_some());
                self.open.push(Open::List(line, Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.properties(line, anchor, tag.is_some());
                self.open.push(Open::Map(line, Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(_) => {
                self.odd.push((line, Kind::Anchor));
                self.put(Node { line, value: Value::Plain(String::new()) });
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            // Not emitted unless asked for, or not known yet: nothing could be said of what it means.
            _ => self.odd.push((line, Kind::UnreadableYaml)),
        }
    }

    fn properties(&mut self, line: u32, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.odd.push((line, Kind::Anchor));
        }
        if tagged {
            self.odd.push((line, Kind::YamlTag));
        }
    }

    fn close(&mut self) {
        let node = match self.open.pop() {
            Some(Open::List(line, items)) => Node { line, value: Value::List(items) },
            Some(Open::Map(line, entries, _)) => Node { line, value: Value::Map(entries) },
            None => return,
        };
        self.put(node);
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            // Of a second document, that it is there is told where it begins.
            None => drop(self.root.get_or_insert(node)),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some((line, key)) => entries.push(Entry { key, line, node }),
                None => match node.text() {
                    Some(text) => {
                        if text == "<<" {
                            self.odd.push((node.line, Kind::MergeKey));
                        }
                        if entries.iter().any(|entry| entry.key == text) {
                            self.odd.push((node.line, Kind::DuplicateKey));
                        }
                        *key = Some((node.line, text.to_owned()));
                    }
                    None => {
                        self.odd.push((node.line, Kind::UnreadableYaml));
                        *key = Some((node.line, String::new()));
                    }
                },
            },
        }
    }
}
