//! NodeConfigs of pools that people describe: whatever was accepted gives XML that says just that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2ppool_model::PoolName;
use p2ppool_model::brunet::{BrunetSecurity, BrunetSettings};
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Ports};
use p2ppool_model::host_list;
use p2ppool_overlay::{PoolView, kind};
use quick_xml::Reader;
use quick_xml::events::Event;

fuzz_target!(|given: (u16, u16, bool, &str, &str, &str, &str)| {
    let (tcp, udp, enabled, namespace, device, bootstrap, hosts) = given;
    let security = BrunetSecurity { enabled, secure_edges: enabled, self_signed_certificates: false };
    let brunet = BrunetSettings { devices: vec![device.to_owned()], security, ..BrunetSettings::default() };
    let ports = Ports { tcp: Some(tcp).filter(|port| *port > 0), udp: Some(udp).filter(|port| *port > 0), rpc: 7 };
    let settings = PoolSettings {
        kind: OverlayKindName::Brunet,
        namespace: namespace.to_owned(),
        bootstrap: vec![bootstrap.to_owned()],
        brunet,
        ports,
        ..PoolSettings::default()
    };
    let Ok(name) = "fuzz".parse::<PoolName>() else { return };
    let Ok(settings) = settings.checked(&name) else { return };
    let hosts = host_list::parse(hosts).hosts;
    let view = PoolView {
        name: &name,
        settings: &settings,
        hosts: &hosts,
        operators: &[],
        program: Some(device),
        runtime: None,
        local: None,
    };
    let Some(kind) = kind(OverlayKindName::Brunet) else { return };
    let files = kind.package_files(&view);
    let config = files.iter().find(|file| file.path == "pool.config").expect("hosts get a config");
    let said = elements(std::str::from_utf8(&config.bytes).expect("it is a text"));
    let texts = |name: &str| said.iter().filter(|(of, _)| of == name).map(|(_, text)| &**text).collect::<Vec<_>>();
    assert_eq!(texts("BrunetNamespace"), [settings.namespace.as_str()]);
    assert_eq!(texts("Device"), [device]);
    assert!(texts("Transport").contains(&bootstrap));
    assert_eq!(texts("port").len(), usize::from(tcp > 0) + usize::from(udp > 0));
    for host in &hosts {
        let files = kind.host_files(&view, host);
        let lines = files.iter().find(|file| file.path == "host").map(|file| file.bytes.iter().filter(|b| **b == b'\n').count());
        assert_eq!(lines, Some(2), "a host's name is one line");
    }
});

/// Every element with a text, in order.
fn elements(xml: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(xml);
    let (mut found, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().expect("it is XML") {
            Event::Start(_) => text.clear(),
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(reference) => match &*reference {
                "lt" => text.push('<'),
                "gt" => text.push('>'),
                "amp" => text.push('&'),
                "quot" => text.push('"'),
                "apos" => text.push('\''),
                _ => text.extend(reference.resolve_char_ref().expect("it is a character")),
            },
            Event::End(tag) => found.push((tag.name().as_ref().to_owned(), std::mem::take(&mut text))),
            Event::Eof => return found,
            _ => {}
        }
    }
}
