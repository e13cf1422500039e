//! What comes back instead of the host script's answers, read by a whole session.
#![no_main]

use std::io::Cursor;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use p2ppool_model::Digest;
use p2ppool_remote::{Control, Deadlines, Exit, ExitWait, HostError, HostSession, OutputTail, Pipe, Target, Transport};

/// Most bytes of a fetched archive.
const FETCH_MAX: u64 = 1 << 16;
const HELLO: &str =
    r#"{"hello":"p2ppool-host","version":1,"pid":1,"user":"u","arch":"x86_64","home":"/","missing":[]}"#;

/// A host that says this and ends.
struct Says(Mutex<Vec<u8>>);

#[async_trait]
impl Transport for Says {
    async fn open(&self, _: &Target, _: &str, _: Duration) -> Result<Pipe, HostError> {
        let said = std::mem::take(&mut *self.0.lock().expect("nobody panicked with it"));
        let (ended, exit) = ExitWait::new();
        let _ = ended.send(Exit::Status(0));
        Ok(Pipe {
            stdin: Box::new(tokio::io::sink()),
            stdout: Box::new(Cursor::new(said)),
            stderr: OutputTail::default(),
            exit,
            first_contact: None,
            control: Control::new(|_| Box::pin(async {})),
        })
    }
}

async fn ask(said: Vec<u8>) -> Result<(), HostError> {
    let target = Target::local("fuzz", "/fuzz");
    let deadlines = Deadlines::default();
    let mut session = HostSession::open(&Says(Mutex::new(said)), &target, &deadlines).await?;
    session.status().await?;
    session.usage().await?;
    session.configure("x", b"y").await?;
    session.activate(&Digest::of(b"z")).await?;
    let mut logs = Vec::new();
    session.logs(FETCH_MAX, &mut logs).await?;
    assert!(logs.len() as u64 <= FETCH_MAX);
    session.start().await?;
    session.stop().await?;
    session.remove().await?;
    session.close().await
}

fuzz_target!(|bytes: &[u8]| {
    // also without a hello
    let greeted = bytes.first() != Some(&b'!');
    let said = if greeted { [HELLO.as_bytes(), b"\n", bytes].concat() } else { bytes.to_vec() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    if let Err(error) = runtime.block_on(ask(said)) {
        let text = error.to_string();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
    }
});
