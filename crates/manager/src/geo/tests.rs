use serde_json::json;

use super::*;

#[path = "../../tests/it/support/mmdb.rs"]
mod mmdb;
use mmdb::mmdb;

fn maxmind() -> Vec<u8> {
    mmdb(
        "GeoLite2-City",
        &[
            (
                "192.0.2.0/24",
                json!({ "city": { "names": { "de": "Prag", "en": "Prague" } }, "country": { "iso_code": "CZ" }, "location": { "latitude": 50.08, "longitude": 14.42 } }),
            ),
            ("198.51.100.0/24", json!({ "country": { "iso_code": "FR", "names": { "en": "France" } } })),
            (
                "2001:db8::/32",
                json!({ "country": { "iso_code": "DE" }, "location": { "latitude": 52.5, "longitude": 13.4 } }),
            ),
        ],
    )
}

fn flat() -> Vec<u8> {
    mmdb(
        "sapics/ip-location-db dbip-city-ipv4",
        &[
            ("192.0.2.0/24", json!({ "city": "Wrong", "country_code": "US", "latitude": 1.5, "longitude": 2.5 })),
            (
                "198.51.100.0/25",
                json!({ "city": "Lyon", "country_code": "fr", "latitude": 45.76, "longitude": 4.84, "state1": "x" }),
            ),
            ("203.0.113.0/24", json!({ "city": "", "country_code": "JP" })),
            ("203.0.114.0/24", json!({ "city": 7, "latitude": "north" })),
        ],
    )
}

struct Files {
    temp: tempfile::TempDir,
    geo: Geo,
    fresh: p2ppool_store::testing::Fresh,
}

impl Files {
    async fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let geo = Geo::new(temp.path().to_owned());
        Self { temp, geo, fresh: p2ppool_store::testing::sqlite().await }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.temp.path().join(name), bytes).unwrap();
    }

    async fn use_database(&self, name: &str) {
        let settings = GeoSettings { database: Some(self.temp.path().join(name)), ..GeoSettings::default() };
        self.geo.set_settings(&self.fresh.store, &settings).await.unwrap();
    }

    async fn sources(&self) -> Arc<Sources> {
        self.geo.sources(&self.fresh.store).await.unwrap()
    }

    async fn told(&self, ip: &str) -> Option<(GeoSource, Precision, Option<String>)> {
        let place = self.sources().await.locate(ip.parse().unwrap())?;
        Some((place.source, place.precision, place.city))
    }
}

#[tokio::test]
async fn without_any_file_everything_is_unlocated_and_nothing_is_wrong() {
    let files = Files::new().await;
    assert_eq!(files.told("192.0.2.1").await, None);
    assert_eq!(files.sources().await.states(), []);
}

#[tokio::test]
async fn sources_are_asked_in_their_order() {
    use GeoSource::{Database, Dbip, Overrides};
    let files = Files::new().await;
    files.write(DBIP_FILES[0], &flat());
    assert_eq!(files.told("192.0.2.1").await, Some((Dbip, Precision::City, Some("Wrong".into()))));
    assert_eq!(files.told("203.0.113.1").await, Some((Dbip, Precision::Country, None)));
    assert_eq!(files.told("203.0.114.1").await, None, "a record of another shape is none");

    files.write("own.mmdb", &maxmind());
    files.use_database("own.mmdb").await;
    assert_eq!(files.told("192.0.2.1").await, Some((Database, Precision::City, Some("Prague".into()))));
    assert_eq!(files.told("::ffff:192.0.2.1").await, Some((Database, Precision::City, Some("Prague".into()))));
    assert_eq!(files.told("2001:db8::5").await, Some((Database, Precision::City, None)));
    assert_eq!(
        files.told("198.51.100.1").await,
        Some((Dbip, Precision::City, Some("Lyon".into()))),
        "coordinates before a country"
    );
    assert_eq!(files.told("198.51.100.200").await, Some((Database, Precision::Country, None)));

    files.write(OVERRIDES_FILE, b"cidr,lat,lon,city,country\n192.0.2.0/28,10,20,Here,\n2001:db8::/48,11,21\n");
    assert_eq!(files.told("192.0.2.1").await, Some((Overrides, Precision::Given, Some("Here".into()))));
    assert_eq!(files.told("192.0.2.100").await, Some((Database, Precision::City, Some("Prague".into()))));
    assert_eq!(files.told("2001:db8::5").await, Some((Overrides, Precision::Given, None)));

    let none = GeoSettings { database: None, use_dbip: false };
    files.geo.set_settings(&files.fresh.store, &none).await.unwrap();
    assert_eq!(files.told("192.0.2.100").await, None);
}

#[tokio::test]
async fn a_file_that_changes_is_read_again_and_a_damaged_one_leaves_the_former_in_use() {
    let files = Files::new().await;
    files.write("own.mmdb", &maxmind());
    files.use_database("own.mmdb").await;
    let first = files.sources().await;
    assert!(files.told("192.0.2.1").await.is_some());
    let again = files.sources().await;
    let database = |sources: &Sources| Arc::clone(sources.database.as_ref().unwrap().value.as_ref().unwrap());
    assert!(Arc::ptr_eq(&database(&first), &database(&again)), "an unchanged file is not read again");

    files.write("own.mmdb", b"half a download");
    let states = files.sources().await.states();
    assert!(states[0].problem.as_deref().unwrap().contains("not an mmdb file"), "{states:?}");
    assert!(files.told("192.0.2.1").await.is_some());

    files.write("own.mmdb", &flat());
    assert_eq!(files.told("192.0.2.1").await.unwrap().2.as_deref(), Some("Wrong"));
    assert_eq!(files.sources().await.states()[0].problem, None);

    std::fs::remove_file(files.temp.path().join("own.mmdb")).unwrap();
    assert_eq!(files.told("192.0.2.1").await, None);
    assert!(files.sources().await.states()[0].problem.is_some(), "a file that was named and is gone is told");
}

#[tokio::test]
async fn states_and_credits_tell_what_is_used() {
    let files = Files::new().await;
    files.write("own.mmdb", &maxmind());
    files.use_database("own.mmdb").await;
    files.write(DBIP_FILES[0], &flat());
    files.write(OVERRIDES_FILE, b"10.0.0.0/8,1,2\nwrong\n");
    let sources = files.sources().await;
    let states = sources.states();
    assert_eq!(
        states.iter().map(|s| s.source).collect::<Vec<_>>(),
        [GeoSource::Overrides, GeoSource::Database, GeoSource::Dbip]
    );
    assert_eq!((states[0].networks, states[0].wrong_lines[0].line), (Some(1), 2));
    assert_eq!(states[1].kind.as_deref(), Some("GeoLite2-City"));
    assert_eq!(states[1].date, Some(Time(1_780_000_000_000)));
    let texts = |located| sources.credits(&located).into_iter().map(|credit| credit.url).collect::<Vec<_>>();
    assert_eq!(
        texts(Located { database: 1, dbip: 1, ..Located::default() }),
        ["https://www.maxmind.com", "https://db-ip.com"]
    );
    assert_eq!(texts(Located { dbip: 2, ..Located::default() }), ["https://db-ip.com"]);
    assert_eq!(texts(Located { host: 9, overrides: 1, unlocated: 3, ..Located::default() }), Vec::<String>::new());
}
