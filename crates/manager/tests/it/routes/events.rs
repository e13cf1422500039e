use std::time::Duration;

use p2ppool_model::event::Change;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{TestApp, send};

/// Nobody waits longer than this for something that comes at once.
const SOON: Duration = Duration::from_secs(10);

struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event: its id, and its data if it has some.
    async fn next(&mut self) -> (u64, Option<Value>) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let Some(id) = field("id:") {
                    return (id.parse().unwrap(), field("data:").map(|data| serde_json::from_str(data).unwrap()));
                }
                continue;
            }
            let chunk = tokio::time::timeout(SOON, self.response.chunk()).await.expect("an event in time").unwrap();
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
        }
    }

    async fn ended(&mut self) -> bool {
        loop {
            match tokio::time::timeout(SOON, self.response.chunk()).await.expect("an end in time") {
                Ok(None) => return true,
                Ok(Some(_)) => {}
                Err(_) => return false,
            }
        }
    }
}

#[tokio::test]
async fn a_viewer_hears_of_a_change_and_resumes_after_the_last_event() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.admin(Method::GET, "events")).await;
    let (hello, none) = stream.next().await;
    assert_eq!(none, None);
    app.pool("one", "a", json!({})).await;
    let (first, event) = stream.next().await;
    assert!(first > hello);
    let event = event.unwrap();
    assert_eq!((&event["type"], &event["pool"], &event["id"]), (&json!("pool"), &json!("one"), &json!(first)));
    drop(stream);

    app.pool("two", "a", json!({})).await;
    let request = app.admin(Method::GET, "events").header("last-event-id", first.to_string());
    let mut resumed = Stream::open(request).await;
    assert_eq!(resumed.next().await, (first, None));
    assert_eq!(resumed.next().await.1.unwrap()["pool"], "two");
}

#[tokio::test]
async fn an_id_that_is_no_longer_known_means_reread() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.admin(Method::GET, "events").header("last-event-id", "7")).await;
    stream.next().await;
    assert_eq!(stream.next().await.1.unwrap()["type"], "reread");
}

#[tokio::test]
async fn a_stream_tells_only_of_the_pool_that_was_asked_for() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.admin(Method::GET, "events?pool=two")).await;
    stream.next().await;
    app.pool("one", "a", json!({})).await;
    app.pool("two", "a", json!({})).await;
    assert_eq!(stream.next().await.1.unwrap()["pool"], "two");
}

#[tokio::test]
async fn without_an_account_only_public_pools_are_told_of() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.anonymous(Method::GET, "events")).await;
    stream.next().await;
    app.pool("secret", "a", json!({})).await;
    app.pool("open", "a", json!({ "visibility": "public" })).await;
    assert_eq!(stream.next().await.1.unwrap()["pool"], "open");
}

#[tokio::test]
async fn many_changes_come_merged_in_few_batches() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.admin(Method::GET, "events")).await;
    let mut last = stream.next().await.0;
    let mut newest = 0;
    for _ in 0..1_000 {
        newest = app.app.events.publish(Some("x"), Change::Pool);
    }
    let mut heard = 0;
    while last < newest {
        last = stream.next().await.0;
        heard += 1;
    }
    assert!((1..=3).contains(&heard), "{heard}");
}

#[tokio::test]
async fn streams_end_when_the_manager_does() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(app.admin(Method::GET, "events")).await;
    stream.next().await;
    app.stop().await;
    assert!(stream.ended().await);
}

#[tokio::test]
async fn streams_are_limited() {
    let app = TestApp::start().await;
    let all = app.app.streams.available_permits();
    let taken = app.app.streams.try_acquire_many(u32::try_from(all).unwrap()).unwrap();
    assert_eq!(send(app.admin(Method::GET, "events")).await.problem(503)["code"], "busy");
    drop(taken);
    Stream::open(app.admin(Method::GET, "events")).await.next().await;
}
