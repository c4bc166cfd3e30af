//! A command as the API server gets it: an argv, element by element, under a time limit of its own.

use http::Request;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Resource;
use kube::api::AttachParams;

use super::Limit;
use crate::names::{ContainerName, Namespace, PodName};

/// A command for one container.
#[derive(Debug, Clone)]
pub(crate) struct Command<'a> {
    /// The pod's namespace.
    pub(crate) namespace: &'a Namespace,
    /// The pod.
    pub(crate) pod: &'a PodName,
    /// The container.
    pub(crate) container: &'a ContainerName,
    /// The program and its arguments. Whoever makes one vouches that it starts no shell.
    pub(crate) argv: Vec<&'a str>,
    /// What it reads on standard input.
    pub(crate) input: Input<'a>,
    /// How long it may take inside the container.
    pub(crate) limit: Limit,
    /// How much of its standard output is kept, in bytes.
    pub(crate) output: usize,
}

/// What a command reads on standard input.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// It has none.
    Nothing,
    /// These bytes, and then the end. They may be a secret: nothing here shows or keeps them.
    Bytes(&'a [u8]),
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Bytes(bytes) => write!(f, "Bytes({} hidden)", bytes.len()),
        }
    }
}

/// What ends a command when its time is over. Closing the stream does not: the process would go on, with nobody to
/// watch it. `timeout` of coreutils and that of BusyBox both read this.
pub(crate) const TIMEOUT: [&str; 3] = ["timeout", "-s", "KILL"];

impl Command<'_> {
    /// The whole argv: `timeout`, the seconds, the command.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = TIMEOUT.map(str::to_owned).to_vec();
        words.push(self.limit.seconds().to_string());
        words.extend(self.argv.iter().map(|&word| word.to_owned()));
        words
    }

    /// The request that asks for it. Never a terminal. Standard error is not asked for: it is text for people who look
    /// at the container, and nothing here reads it.
    pub(crate) fn request(&self) -> Result<Request<Vec<u8>>, kube::core::request::Error> {
        let attached = AttachParams {
            container: Some(self.container.to_string()),
            stdin: match self.input {
                Input::Nothing => false,
                Input::Bytes(_) => true,
            },
            stdout: true,
            stderr: false,
            tty: false,
            ..AttachParams::default()
        };
        let pods = ApiPod::url_path(&(), Some(self.namespace.as_str()));
        kube::core::Request::new(pods).exec(self.pod.as_str(), self.words(), &attached)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Place;
    use super::*;

    #[test]
    fn each_word_is_one_element_and_none_is_read_by_a_shell() {
        let place = Place::new();
        let argv = vec!["redis-cli", "LLEN", "a b;$(id)&command=sh#\u{e4}+"];
        let request = place.command(argv, Input::Nothing).request().unwrap();
        assert_eq!(request.method(), http::Method::GET);
        assert_eq!(request.uri().path(), "/api/v1/namespaces/shop/pods/redis-0/exec");
        assert_eq!(
            request.uri().query().unwrap(),
            "&stdout=true&container=redis&command=timeout&command=-s&command=KILL&command=30\
             &command=redis-cli&command=LLEN&command=a+b%3B%24%28id%29%26command%3Dsh%23%C3%A4%2B"
        );
        assert!(request.body().is_empty());
    }

    #[test]
    fn standard_input_is_asked_for_only_where_there_is_some_and_is_never_in_the_request() {
        let place = Place::new();
        let request = place.command(vec!["x"], Input::Bytes(b"s3cret")).request().unwrap();
        assert!(request.uri().query().unwrap().starts_with("&stdin=true&stdout=true&container=redis&"));
        assert!(!format!("{request:?}").contains("s3cret"));
        assert_eq!(format!("{:?}", Input::Bytes(b"s3cret")), "Bytes(6 hidden)");
    }
}
