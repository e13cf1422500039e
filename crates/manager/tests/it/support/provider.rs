//! A small OpenID Connect provider: real HTTP, real signed tokens, and it checks what clients must prove.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::CoreEdDsaPrivateSigningKey;
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use sha2::Digest as _;
use url::Url;

pub(crate) const CLIENT: &str = "p2ppool";
pub(crate) const SECRET: &str = "canary-client-secret";

/// What a code stands for.
struct Grant {
    challenge: String,
    claims: Value,
}

pub(crate) struct Provider {
    pub(crate) issuer: String,
    key: CoreEdDsaPrivateSigningKey,
    other_key: CoreEdDsaPrivateSigningKey,
    codes: Mutex<HashMap<String, Grant>>,
    serving: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

fn signing_key() -> CoreEdDsaPrivateSigningKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pair.serialize_pem(), Some(JsonWebKeyId::new("one".into()))).unwrap()
}

/// Which part of a token is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    Nonce,
    Audience,
    Issuer,
    Expiry,
    Signature,
    NoSignature,
}

impl Provider {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let this = Arc::new(Self {
            issuer: format!("http://{address}"),
            key: signing_key(),
            other_key: signing_key(),
            codes: Mutex::default(),
            serving: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&this));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *this.serving.lock().unwrap() = Some(serving);
        this
    }

    /// Nothing listens there any more.
    pub(crate) async fn go_down(&self) {
        let serving = self.serving.lock().unwrap().take().expect("it is up");
        serving.abort();
        let _ = serving.await;
    }

    /// The person logs in: the address that the browser is sent back to.
    pub(crate) fn log_in(&self, url: &str, subject: &str, name: &str, groups: &[&str], wrong: Wrong) -> String {
        let url: Url = url.parse().unwrap();
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].contains("openid"));
        let now = p2ppool_model::Time::now().0 / 1000;
        let claims = json!({
            "iss": if wrong == Wrong::Issuer { "https://evil.example" } else { &self.issuer },
            "aud": if wrong == Wrong::Audience { "other" } else { CLIENT },
            "sub": subject,
            "preferred_username": name,
            "groups": groups,
            "nonce": if wrong == Wrong::Nonce { "replayed" } else { &asked["nonce"] },
            "iat": now,
            "exp": if wrong == Wrong::Expiry { now - 3600 } else { now + 300 },
            "wrong": format!("{wrong:?}"),
        });
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code-{}", codes.len());
        codes.insert(code.clone(), Grant { challenge: asked["code_challenge"].clone(), claims });
        let mut back: Url = asked["redirect_uri"].parse().unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        back.to_string()
    }

    fn signed(&self, claims: &Value) -> String {
        let wrong = claims["wrong"].as_str().unwrap_or_default();
        let algorithm = if wrong == "NoSignature" { "none" } else { "EdDSA" };
        let head = json!({ "alg": algorithm, "kid": "one", "typ": "JWT" });
        let text = [head, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let key = if wrong == "Signature" { &self.other_key } else { &self.key };
        let signature = key.sign(&openidconnect::core::CoreJwsSigningAlgorithm::EdDsa, text.as_bytes()).unwrap();
        let signature = if wrong == "NoSignature" { String::new() } else { URL_SAFE_NO_PAD.encode(signature) };
        format!("{text}.{signature}")
    }
}

async fn describe(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({ "keys": [provider.key.as_verification_key()] }))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why })));
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    if headers.get("authorization").is_none_or(|given| given != basic.as_str()) {
        return Err(refused("invalid_client"));
    }
    let grant = provider.codes.lock().unwrap().remove(form.get("code").map_or("", String::as_str));
    let grant = grant.ok_or_else(|| refused("invalid_grant"))?;
    let verifier = form.get("code_verifier").map_or("", String::as_str);
    if URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier)) != grant.challenge {
        return Err(refused("invalid_grant"));
    }
    let id_token = provider.signed(&grant.claims);
    Ok(Json(json!({ "access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": id_token })))
}
