//! The steps of the host script, each a request with a typed answer.

use bytes::Bytes;
use p2ppool_model::{Digest, Step, Time};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWrite;

use super::answers;
use super::{
    Activated, Call, Configured, Fetched, HostSession, HostStatus, HostUsage, Received, Removed, Started, Stopped,
};
use crate::{HostError, Package};

impl HostSession {
    /// What is installed and whether it runs.
    pub async fn status(&mut self) -> Result<HostStatus, HostError> {
        self.ask(Call::new(Step::Status, "status")).await
    }

    /// Uploads, verifies and unpacks a package, unless the host has it.
    pub async fn receive(&mut self, package: &Package) -> Result<Received, HostError> {
        self.put(Call::new(Step::Receive, "receive"), package).await
    }

    /// Uploads, verifies and unpacks a runtime that several packages may share, unless the host has it.
    pub async fn receive_runtime(&mut self, runtime: &Package) -> Result<Received, HostError> {
        self.put(Call::new(Step::Receive, "receive").word("into", "runtimes"), runtime).await
    }

    /// Writes one file that only this host has, into the package's config folder.
    pub async fn configure(&mut self, name: &str, content: &[u8]) -> Result<Configured, HostError> {
        let call = Call::new(Step::Configure, "configure").word("name", name).word("size", content.len());
        self.ask_with(call, &Bytes::copy_from_slice(content)).await
    }

    /// Makes a received package the current one.
    pub async fn activate(&mut self, digest: &Digest) -> Result<Activated, HostError> {
        self.ask(Call::new(Step::Activate, "activate").word("digest", digest)).await
    }

    /// Starts the node and waits until it is ready.
    pub async fn start(&mut self) -> Result<Started, HostError> {
        self.ask(Call::new(Step::Start, "start").word("at", Time::now())).await
    }

    /// Ends the node and starts it again, with whatever is current now.
    pub async fn restart(&mut self) -> Result<Started, HostError> {
        self.ask(Call::new(Step::Start, "restart").word("at", Time::now())).await
    }

    /// Ends the node; it stays installed.
    pub async fn stop(&mut self) -> Result<Stopped, HostError> {
        self.ask(Call::new(Step::Stop, "stop")).await
    }

    /// Kills supervisor and node without a word, as an accident would; it stays installed and down.
    pub async fn kill(&mut self) -> Result<Stopped, HostError> {
        self.ask(Call::new(Step::Stop, "stop").word("hard", 1)).await
    }

    /// Ends the node and deletes everything that was installed.
    pub async fn remove(&mut self) -> Result<Removed, HostError> {
        self.ask(Call::new(Step::Remove, "remove")).await
    }

    /// Copies the logs into the sink: a tar.gz of at most `max` bytes.
    pub async fn logs(&mut self, max: u64, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<Fetched, HostError> {
        self.fetch(&Call::new(Step::Logs, "logs").word("max", max), max, sink).await
    }

    /// Copies the files that match `patterns` (blank-separated, as `*.db`) into the sink: a tar.gz
    /// of at most `max` bytes.
    pub async fn data(
        &mut self,
        patterns: &str,
        max: u64,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Fetched, HostError> {
        self.fetch(&Call::new(Step::Data, "data").word("patterns", patterns).word("max", max), max, sink).await
    }

    /// Measures the host and the node process.
    pub async fn usage(&mut self) -> Result<HostUsage, HostError> {
        self.ask(Call::new(Step::Usage, "usage")).await
    }

    async fn put(&mut self, call: Call, package: &Package) -> Result<Received, HostError> {
        let sent = package.sent();
        let mut call = call.word("digest", &package.digest).word("size", sent.bytes.len());
        if let Some(digest) = sent.plain {
            call = call.word("plain", digest);
        }
        self.ask_with(call, sent.bytes).await
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&mut self, call: Call) -> Result<T, HostError> {
        let value = self.request(&call, None).await?;
        self.typed(&call, &value)
    }

    async fn ask_with<T: for<'de> Deserialize<'de>>(&mut self, call: Call, payload: &Bytes) -> Result<T, HostError> {
        let value = self.request(&call, Some(payload)).await?;
        self.typed(&call, &value)
    }

    fn typed<T: for<'de> Deserialize<'de>>(&mut self, call: &Call, value: &Value) -> Result<T, HostError> {
        let fields = answers::fields(value, call.name, call.step, &self.host);
        self.broken |= fields.is_err();
        fields
    }
}

impl Call {
    fn new(step: Step, name: &'static str) -> Self {
        Self { step, name, words: Vec::new() }
    }

    fn word(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        // a line break would end the request line early
        let value = value.to_string().replace(['\n', '\r', '\0'], " ");
        self.words.push(format!("{name}={value}"));
        self
    }
}
