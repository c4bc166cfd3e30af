//! A program and its arguments, as a runbook's file writes them.
//!
//! An element is either a word that is written out, or a value that a parameter fills (`{value: "${params.queue}"}`). Which
//! is which stays in the type: a value is never the program, and never looks like an option. That a word holds no
//! placeholder, and a value nothing around one, the loader sees to (the schema below says so).

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::inline::inline_schema;

/// One element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Element {
    /// A word that the file writes out.
    Word(String),
    /// A value that a parameter fills.
    Value(Filled),
}

/// A value that a parameter fills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filled {
    /// The value.
    pub value: String,
}

/// A program and its arguments: 1 to 32 elements of 1 to 256 characters without control characters, at most 1024 bytes
/// in all, so that whoever approves them sees every one. The program is an absolute path or a plain name, and none of
/// those that start another one from their arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Element>", into = "Vec<Element>")]
pub struct Argv(Vec<Element>);

/// Why something is no argv.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadArgv {
    /// Too few elements, or too many, or too long in all.
    #[error("has 1 to 32 elements and at most 1024 bytes")]
    Size,
    /// An element that is empty, too long, or has control characters.
    #[error("has elements of 1 to 256 characters without control characters")]
    Element,
    /// A program that is filled by a parameter, or neither an absolute path nor a plain name.
    #[error("begins with a program, written out: an absolute path or a plain name")]
    Program,
    /// A shell, or something that starts what its arguments say.
    #[error(
        "starts a program that does one thing, and no shell or anything else that starts what its arguments say"
    )]
    Shell,
    /// A value that begins as options do.
    #[error("takes no value that begins with `-`")]
    Option,
}

/// The rule in words, for the message about a field.
pub const RULE: &str = "a program and its arguments: 1 to 32 elements of 1 to 256 characters, 1024 bytes in all, without \
    control characters; first the program, an absolute path or a plain name, never a shell or what starts one; \
    `{value: …}` for what a parameter fills, which never begins with `-`";

const ELEMENTS: RangeInclusive<usize> = 1..=32;
const CHARACTERS: RangeInclusive<usize> = 1..=256;
const BYTES: usize = 1024;

/// Shells, interpreters, and programs that start what their arguments say. This catches mistakes; it is no proof, since
/// any program may do what it likes: what a file starts is what its reviewers read.
const STARTERS: &str = "ash awk bash bun busybox chpst chroot command crictl csh ctr dash deno docker doas dumb-init ed elvish \
    emacs env eval ex exec expect fish find flock gawk gdb gosu ionice irb java jshell kubectl ksh lua \
    luajit make mawk mksh nawk nc ncat nerdctl nice node nodejs nohup nsenter nu osh parallel perl php \
    podman pwsh python rbash ruby runuser s6-setuidgid script sed setpriv setsid sg sh socat ssh \
    start-stop-daemon stdbuf strace su su-exec sudo systemd-run tar tclsh tcsh time timeout tini toybox \
    unshare vi vim watch xargs xonsh yash zsh";

impl Element {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Value(Filled { value }) => value,
        }
    }
}

impl TryFrom<Vec<Element>> for Argv {
    type Error = BadArgv;

    fn try_from(elements: Vec<Element>) -> Result<Self, BadArgv> {
        let bytes: usize = elements.iter().map(|one| one.text().len()).sum();
        if !ELEMENTS.contains(&elements.len()) || bytes > BYTES {
            return Err(BadArgv::Size);
        }
        if !elements.iter().all(|one| is_element(one.text())) {
            return Err(BadArgv::Element);
        }
        match elements.first() {
            Some(Element::Word(program)) => is_program(program)?,
            Some(Element::Value(_)) | None => return Err(BadArgv::Program),
        }
        let is_option = |one: &Element| matches!(one, Element::Value(it) if it.value.starts_with('-'));
        if elements.iter().any(is_option) {
            return Err(BadArgv::Option);
        }
        Ok(Self(elements))
    }
}

impl From<Argv> for Vec<Element> {
    fn from(argv: Argv) -> Self {
        argv.0
    }
}

fn is_element(text: &str) -> bool {
    CHARACTERS.contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_program(program: &str) -> Result<(), BadArgv> {
    let is_name = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'))
    };
    let mut parts = program.strip_prefix('/').unwrap_or(program).split('/');
    let name = parts.next_back().unwrap_or_default();
    let absolute = program.starts_with('/');
    if !is_name(name) || !(absolute || parts.clone().next().is_none()) || !parts.all(is_name) {
        return Err(BadArgv::Program);
    }
    // `python3.12` is python, and `mysqlsh` no shell of ours.
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let starts = |known: &str| name.eq_ignore_ascii_case(known) || bare.eq_ignore_ascii_case(known);
    if STARTERS.split(' ').any(starts) { Err(BadArgv::Shell) } else { Ok(()) }
}

impl Argv {
    /// The texts of its elements, in order.
    pub fn texts(&self) -> Vec<&str> {
        self.0.iter().map(Element::text).collect()
    }
}

inline_schema! {
    Argv: {
        "type": "array", "minItems": 1, "maxItems": 32,
        "items": {"anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 256, "x-filled": "never"},
            {
                "type": "object", "required": ["value"], "additionalProperties": false,
                "properties": {"value": {"type": "string", "minLength": 1, "maxLength": 256, "x-filled": "whole"}},
            },
        ]},
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(argv: Value) -> Result<Argv, BadArgv> {
        Argv::try_from(serde_json::from_value::<Vec<Element>>(argv).unwrap())
    }

    #[test]
    fn a_program_is_an_absolute_path_or_a_plain_name() {
        for good in ["redis-cli", "/usr/local/bin/redis-cli", "/opt/x_1.2/bin/rabbitmqctl", "g++", "mysqlsh"]
        {
            assert!(read(json!([good])).is_ok(), "{good}");
        }
        for bad in [
            "./x",
            "bin/x",
            "../x",
            "/usr/../bin/x",
            "//x",
            "/",
            "/x/",
            "-x",
            "x y",
            "x;y",
            "$(x)",
            "x=y",
            "ä",
        ] {
            assert_eq!(read(json!([bad])), Err(BadArgv::Program), "{bad}");
        }
        assert_eq!(read(json!([{"value": "redis-cli"}])), Err(BadArgv::Program), "from a parameter");
    }

    #[test]
    fn what_starts_another_program_is_refused_whatever_it_is_called() {
        for bad in [
            "sh",
            "bash",
            "/bin/sh",
            "/usr/bin/env",
            "BASH",
            "busybox",
            "xargs",
            "nohup",
            "setsid",
            "su",
            "sudo",
            "chroot",
            "nsenter",
            "ssh",
            "python",
            "python3",
            "python3.12",
            "perl5.36",
            "ruby",
            "node",
            "lua5.4",
            "awk",
            "eval",
            "exec",
            "timeout",
            "bash-5.2",
            "find",
        ] {
            assert_eq!(read(json!([bad, "-c", "x"])), Err(BadArgv::Shell), "{bad}");
        }
    }

    #[test]
    fn elements_are_bounded_and_visible() {
        assert_eq!(read(json!([])), Err(BadArgv::Size));
        assert!(read(json!(vec!["x"; 32])).is_ok());
        assert_eq!(read(json!(vec!["x"; 33])), Err(BadArgv::Size));
        assert!(read(json!(["x", "ä".repeat(256)])).is_ok());
        assert_eq!(read(json!(["x", "a".repeat(257)])), Err(BadArgv::Element));
        assert_eq!(
            read(json!(["x", "a".repeat(256), "a".repeat(256), "a".repeat(256), "a".repeat(256)])),
            Err(BadArgv::Size)
        );
        for bad in ["", "a\n", "a\0", "\u{1b}[2J", "\u{7f}", "\u{9b}"] {
            assert_eq!(read(json!(["x", bad])), Err(BadArgv::Element), "{bad:?}");
            assert_eq!(read(json!(["x", {"value": bad}])), Err(BadArgv::Element), "{bad:?}");
        }
    }

    #[test]
    fn a_value_is_never_an_option_and_a_word_may_be_one() {
        assert!(read(json!(["x", "--flag", {"value": "a b; $(id) \" '"}])).is_ok());
        for bad in ["-", "-x", "--all"] {
            assert_eq!(read(json!(["x", {"value": bad}])), Err(BadArgv::Option), "{bad}");
        }
        let strange = serde_json::from_value::<Argv>(json!(["x", {"value": "a", "more": "b"}]));
        assert!(strange.is_err(), "nothing but the value");
    }

    fn element() -> impl Strategy<Value = Element> {
        let text = prop_oneof![
            Just("redis-cli".to_owned()),
            Just("sh".to_owned()),
            Just("/bin/env".to_owned()),
            "[-a-z/.\\x00-\\x20]{0,6}",
            ".{0,300}"
        ];
        (any::<bool>(), text).prop_map(|(word, text)| {
            if word { Element::Word(text) } else { Element::Value(Filled { value: text }) }
        })
    }

    proptest! {
        #[test]
        fn whatever_passes_is_safe_to_start_and_comes_back_as_it_was(elements in prop::collection::vec(element(), 0..40)) {
            let Ok(argv) = Argv::try_from(elements.clone()) else { return Ok(()) };
            let texts = argv.texts();
            prop_assert!((1..=32).contains(&texts.len()));
            prop_assert!(texts.iter().all(|one| !one.is_empty() && !one.chars().any(char::is_control)));
            prop_assert!(matches!(elements.first(), Some(Element::Word(_))), "the program is written out");
            let program = texts[0].rsplit('/').next().unwrap();
            prop_assert!(STARTERS.split(' ').all(|known| known != program) && !program.starts_with('-'));
            for one in &elements {
                if let Element::Value(Filled { value }) = one {
                    prop_assert!(!value.starts_with('-'));
                }
            }
            let back: Argv = serde_json::from_value(serde_json::to_value(&argv).unwrap()).unwrap();
            prop_assert_eq!(back, argv);
        }
    }
}
