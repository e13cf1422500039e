//! One-time codes and recovery codes at login.

use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::support::{Answer, TestApp, send};

const PASSWORD: &str = "correct horse battery";

fn app_of(begun: &Value) -> Totp {
    let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30);
    builder.with_secret(secret.as_bytes().to_vec()).build().unwrap()
}

fn now() -> u64 {
    u64::try_from(p2ppool_model::Time::now().0 / 1000).unwrap()
}

async fn login(app: &TestApp, code: Option<&str>) -> Answer {
    let body = json!({ "name": "anna", "password": PASSWORD, "code": code });
    send(app.anonymous(Method::POST, "login").json(&body)).await
}

#[tokio::test]
async fn a_confirmed_second_factor_is_asked_for_and_no_code_works_twice() {
    let app = TestApp::start().await;
    let anna = app.person("anna", Role::Publisher).await;
    let hers = async |method: Method, path: &str, body: Value| {
        send(app.anonymous(method, path).bearer_auth(&anna).json(&body)).await
    };
    hers(Method::POST, "me/totp", json!({ "password": "wrong" })).await.problem(401);
    let begun = hers(Method::POST, "me/totp", json!({ "password": PASSWORD })).await.expect(200).json();
    assert!(begun["url"].as_str().unwrap().starts_with("otpauth://totp/"), "{begun}");
    login(&app, None).await.expect(200);

    let phone = app_of(&begun);
    let wrong = hers(Method::POST, "me/totp/confirm", json!({ "code": "000000" })).await;
    assert!(wrong.status == 422 || phone.check("000000", now()).is_some());
    let at = now();
    let first = phone.generate(at).to_string();
    let confirmed = hers(Method::POST, "me/totp/confirm", json!({ "code": first })).await.expect(200).json();
    let recovery = confirmed["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);

    assert_eq!(login(&app, None).await.problem(401)["code"], "needs_second_factor");
    assert_eq!(login(&app, Some(&first)).await.problem(401)["code"], "wrong_code", "used before");
    let next = phone.generate(at + 30).to_string();
    login(&app, Some(&next)).await.expect(200);
    assert_eq!(login(&app, Some(&next)).await.problem(401)["code"], "wrong_code");
    let code = recovery[0].as_str().unwrap();
    login(&app, Some(&code.to_uppercase())).await.expect(200);
    assert_eq!(login(&app, Some(code)).await.problem(401)["code"], "wrong_code", "each works once");
    let state = hers(Method::GET, "me/totp", json!({})).await.expect(200).json();
    assert_eq!(state, json!({ "enabled": true, "recovery_codes": 9 }));
    hers(Method::POST, "me/totp", json!({ "password": PASSWORD })).await.problem(409);

    let stored = format!("{:?}", app.app.store.audit(&Default::default(), Default::default()).await);
    for secret in [begun["secret"].as_str().unwrap(), code] {
        assert!(!stored.contains(secret));
    }
    hers(Method::POST, "me/totp/end", json!({ "password": "wrong" })).await.problem(401);
    hers(Method::POST, "me/totp/end", json!({ "password": PASSWORD })).await.expect(204);
    login(&app, None).await.expect(200);
}

#[tokio::test]
async fn codes_are_guessed_no_faster_than_passwords_and_a_lost_factor_is_ended_by_who_manages_people() {
    let app = TestApp::start().await;
    let anna = app.person("anna", Role::Viewer).await;
    let begin = app.anonymous(Method::POST, "me/totp").bearer_auth(&anna).json(&json!({ "password": PASSWORD }));
    let phone = app_of(&send(begin).await.expect(200).json());
    let code = phone.generate(now()).to_string();
    let confirm = app.anonymous(Method::POST, "me/totp/confirm").bearer_auth(&anna).json(&json!({ "code": code }));
    send(confirm).await.expect(200);
    let mut slowed = false;
    for guess in 0..10 {
        slowed |= login(&app, Some(&format!("{guess:06}"))).await.status == 429;
    }
    assert!(slowed);
    let id = app.app.store.credentials("anna").await.unwrap().unwrap().user.id;
    let path = format!("users/{id}/totp");
    send(app.anonymous(Method::DELETE, &path).bearer_auth(&anna)).await.problem(403);
    app.delete(&path).await.expect(204);
    assert!(!p2ppool::service::second_factor::is_needed(&app.app, id).await.unwrap());
    app.delete("users/77/totp").await.problem(404);
}
