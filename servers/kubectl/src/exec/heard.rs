//! What comes back from a container, frame by frame: standard output, and at the end how the command ended.
//!
//! Each binary frame begins with the number of its channel. The end is a `Status` on a channel of its own; a stream that
//! stops without one says nothing of the command.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use super::{Ended, Lost, Outcome};

const OUTPUT: u8 = 1;
const STATUS: u8 = 3;

/// The exit codes of `timeout -s KILL` when time was over: its own, and that of whoever is killed.
const TIME_OVER: [i32; 2] = [124, 137];

/// All that was heard so far.
#[derive(Debug)]
pub(super) struct Heard {
    output: Vec<u8>,
    most: usize,
    cut: bool,
    end: Option<End>,
}

/// How a command ended, as its status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Code(i32),
    /// There was a status, and it holds no exit code: the container's runtime failed before, while or after it ran.
    Unclear,
}

impl Heard {
    /// Nothing yet; at most so many bytes of output are kept.
    pub(super) fn new(most: usize) -> Self {
        Self { output: Vec::new(), most, cut: false, end: None }
    }

    /// Takes one frame in. What nobody asked for is passed over.
    pub(super) fn take(&mut self, frame: &[u8]) {
        match frame.split_first() {
            Some((&OUTPUT, bytes)) => self.keep(bytes),
            // An empty one only opens the channel.
            Some((&STATUS, bytes)) if !bytes.is_empty() && self.end.is_none() => self.end = Some(end(bytes)),
            Some(_) | None => {}
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.most.saturating_sub(self.output.len());
        self.cut |= bytes.len() > room;
        self.output.extend(bytes.iter().take(room));
    }

    /// Whether the command is known to have ended.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// What all of it means; `silence` is what no status at all means.
    pub(super) fn outcome(self, silence: Lost) -> Outcome {
        match self.end {
            None => Outcome::Lost(silence),
            Some(End::Unclear) => Outcome::Lost(Lost::Unclear),
            Some(End::Code(code)) if TIME_OVER.contains(&code) => Outcome::TimedOut,
            Some(End::Code(code)) => Outcome::Ended(Ended { code, output: self.output, cut: self.cut }),
        }
    }
}

/// Only a plain success is exit code 0; an exit code is one only under the reason that says so.
fn end(bytes: &[u8]) -> End {
    let Ok(status) = serde_json::from_slice::<Status>(bytes) else { return End::Unclear };
    match (status.status.as_deref(), status.reason.as_deref()) {
        (Some("Success"), _) => End::Code(0),
        (Some("Failure"), Some("NonZeroExitCode")) => code(&status).map_or(End::Unclear, End::Code),
        _ => End::Unclear,
    }
}

fn code(status: &Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let cause = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    cause.message.as_deref()?.parse().ok().filter(|code| *code != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn status(value: &serde_json::Value) -> Vec<u8> {
        [vec![STATUS], value.to_string().into_bytes()].concat()
    }

    fn exit(code: &str) -> Vec<u8> {
        status(&json!({"status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code}]}}))
    }

    fn heard(frames: &[Vec<u8>]) -> Outcome {
        let mut heard = Heard::new(8);
        frames.iter().for_each(|frame| heard.take(frame));
        heard.outcome(Lost::Cut)
    }

    #[test]
    fn the_end_is_what_the_status_says() {
        let success = status(&json!({"metadata": {}, "status": "Success"}));
        let output = b"\x011200\n".to_vec();
        let ended = |code, output: &[u8], cut| Outcome::Ended(Ended { code, output: output.to_vec(), cut });
        assert_eq!(heard(&[vec![OUTPUT], output.clone(), success.clone()]), ended(0, b"1200\n", false));
        assert_eq!(heard(&[success.clone(), output.clone()]), ended(0, b"1200\n", false), "late output");
        assert_eq!(heard(&[output.clone(), output.clone(), success]), ended(0, b"1200\n120", true));
        assert_eq!(heard(&[exit("3"), exit("4")]), ended(3, b"", false), "the first one counts");
        assert_eq!(heard(&[b"\x02to nobody".to_vec(), exit("69")]), ended(69, b"", false));
    }

    #[test]
    fn a_stream_that_stops_without_a_status_says_nothing() {
        assert_eq!(heard(&[b"\x010\n".to_vec()]), Outcome::Lost(Lost::Cut));
        assert_eq!(
            heard(&[vec![STATUS], vec![]]),
            Outcome::Lost(Lost::Cut),
            "an opened channel is no status"
        );
    }

    #[test]
    fn a_command_that_was_killed_is_not_one_that_failed() {
        for code in ["124", "137"] {
            assert_eq!(heard(&[exit(code)]), Outcome::TimedOut, "{code}");
        }
    }

    #[test]
    fn a_status_without_an_exit_code_tells_nothing_of_the_command() {
        for unclear in [
            json!({"status": "Failure", "reason": "InternalError", "message": "error executing command: 0"}),
            json!({"status": "Failure", "reason": "NonZeroExitCode"}),
            json!({"status": "Failure", "reason": "InternalError",
                "details": {"causes": [{"reason": "ExitCode", "message": "1"}]}}),
            json!({"status": "Failure"}),
            json!({}),
        ] {
            assert_eq!(heard(&[status(&unclear)]), Outcome::Lost(Lost::Unclear), "{unclear}");
        }
        for code in ["0", "x", "", "99999999999"] {
            assert_eq!(heard(&[exit(code)]), Outcome::Lost(Lost::Unclear), "{code}");
        }
        assert_eq!(heard(&[b"\x03no json".to_vec()]), Outcome::Lost(Lost::Unclear));
    }

    proptest! {
        #[test]
        fn no_frames_are_too_much(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut heard = Heard::new(16);
            frames.iter().for_each(|frame| heard.take(frame));
            prop_assert!(heard.output.len() <= 16);
        }
    }
}
