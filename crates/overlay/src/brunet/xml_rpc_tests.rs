//! The captures of real nodes, and what nobody should send.

use proptest::prelude::*;

use super::*;

macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/captures/", $name, ".response.xml"))
    };
}

fn value(body: &[u8]) -> Value {
    match response(body).unwrap() {
        Response::Value(value) => value,
        Response::Fault { code, message } => panic!("fault {code}: {message}"),
    }
}

#[test]
fn information_of_a_real_node_is_read() {
    let answer = value(capture!("proxy-right-Info"));
    let [info] = answer.items() else { panic!("{answer:?}") };
    assert_eq!(info.get("type").and_then(Value::text), Some("BasicNode"));
    assert_eq!((info.get("cons").and_then(Value::count), info.get("udp").and_then(Value::count)), (Some(18), Some(17)));
    let neighbours = info.get("neighbors").unwrap();
    assert_eq!(neighbours.get("self").and_then(Value::text), Some("brunet:node:47XKUA6QZQDZ6BDICQW5W2MGVGKAOQAY"));
    assert_eq!(info.get("localips").unwrap().items(), [Value::Text("127.0.1.4".into())]);
}

#[test]
fn every_capture_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let path = file.path();
        if path.to_string_lossy().ends_with(".response.xml") {
            response(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            read += 1;
        }
    }
    assert!(read > 30, "{read}");
}

#[test]
fn no_answer_is_an_empty_array_and_not_a_fault() {
    assert_eq!(value(capture!("absent-node-ahopt5-Info")), Value::Array(Vec::new()));
}

#[test]
fn faults_keep_their_code_and_text() {
    let Response::Fault { code, message } = response(capture!("err-brunet-unknown-handler")).unwrap() else { panic!() };
    assert_eq!(code, 1);
    assert!(message.contains("No Handler for method: Nope.Foo"), "{message}");
    let Response::Fault { code, .. } = response(capture!("err-unknown-path")).unwrap() else { panic!() };
    assert_eq!(code, 0);
}

#[test]
fn numbers_and_coordinates_are_read() {
    let answer = value(capture!("local-ncserver-EchoVivaldiState"));
    assert_eq!(answer.get("hostname").and_then(Value::text), Some("vm"));
    assert_eq!(answer.get("position").unwrap().get("side").unwrap().items().len(), 2);
    assert_eq!(value(capture!("local-DhtClient-Put")), Value::Bool(true));
}

#[test]
fn a_call_is_what_the_originals_crawler_sends() {
    let arguments =
        [Argument::Text("brunet:node:X"), Argument::Int(3), Argument::Int(1), Argument::Text("Information.Info")];
    let body = call("proxy", &arguments);
    let original = include_str!("../../tests/captures/proxy-right-Info.request.xml");
    let squeeze = |text: &str| text.split_once("?>").unwrap().1.split_whitespace().collect::<String>();
    assert_eq!(squeeze(&body), squeeze(original).replace("47XKUA6QZQDZ6BDICQW5W2MGVGKAOQAY", "X"));
    assert!(call("a&b", &[Argument::Text("<x>")]).contains("a&amp;b"));
}

#[test]
fn bombs_are_refused_without_being_unpacked() {
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a \"ha\">");
    for level in 0..30 {
        bomb.push_str(&format!("<!ENTITY a{} \"&a{level};&a{level};&a{level};\">", level + 1));
    }
    bomb.push_str("]><methodResponse><params><param><value>&a30;</value></param></params></methodResponse>");
    assert!(response(bomb.as_bytes()).unwrap_err().to_string().contains("document type"));
    let own = b"<methodResponse><params><param><value>&boom;</value></param></params></methodResponse>";
    assert!(response(own).unwrap_err().to_string().contains("entity"));
}

#[test]
fn endless_and_deep_ones_are_refused() {
    assert!(response(&vec![b' '; RESPONSE_BYTES_MAX + 1]).is_err());
    let deep = format!("<methodResponse><params><param><value>{}", "<array><data><value>".repeat(100_000));
    assert!(response(deep.as_bytes()).is_err());
    let many = "<value><i4>1</i4></value>".repeat(VALUES_MAX + 1);
    let many = format!(
        "<methodResponse><params><param><value><array><data>{many}</data></array></value></param></params></methodResponse>"
    );
    assert!(response(many.as_bytes()).unwrap_err().to_string().contains("values"));
}

#[test]
fn an_error_quotes_no_megabytes() {
    let long = "x".repeat(1 << 20);
    for wrong in [format!("<methodResponse><{long}></y>"), format!("<methodResponse><params>&{long};")] {
        assert!(response(wrong.as_bytes()).unwrap_err().to_string().len() < 1_000);
    }
}

#[test]
fn half_a_response_is_none() {
    let whole = capture!("proxy-right-Info");
    for length in (0..whole.len() - 1).step_by(97) {
        assert!(response(&whole[..length]).is_err(), "{length} bytes");
    }
    assert!(response(b"<html><body>502</body></html>").is_err());
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..4000) {
        let _ = response(&bytes);
        let mut capture = capture!("proxy-right-Info").to_vec();
        let at = cut.min(capture.len() - 1);
        capture.splice(at..(at + 3).min(capture.len()), bytes.iter().copied().take(20));
        let _ = response(&capture);
    }
}
