//! A small OpenID Connect provider on loopback, for tests. It does as it is told, also what no provider should.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Form, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{Arc, LazyLock, Mutex, MutexGuard},
};
use tokio::net::TcpListener;
use url::Url;

/// A key of the provider's.
pub(super) enum SigningKey {
    Es256(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
    EdDsa(Ed25519KeyPair),
}

impl SigningKey {
    pub(super) fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(super) fn rs256() -> Self {
        Self::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(super) fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut bytes = vec![0; key.public_modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut bytes).unwrap();
                bytes
            }
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// As a JWK.
    pub(super) fn public(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self {
            Self::Es256(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::Rs256(key) => {
                let public = key.public_key();
                let modulus = public.modulus().big_endian_without_leading_zero();
                json!({"kty": "RSA", "n": text(modulus), "e": text(public.exponent().big_endian_without_leading_zero())})
            }
            Self::EdDsa(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref())}),
        };
        key["kid"] = json!(id);
        key["use"] = json!("sig");
        key["alg"] = json!(self.algorithm());
        key
    }

    /// A token of these claims.
    pub(super) fn token(&self, id: &str, claims: &Value) -> String {
        let signed = unsigned(&json!({"alg": self.algorithm(), "kid": id, "typ": "JWT"}), claims);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes())))
    }
}

/// Header and claims of a token, as they are signed.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A token whose "secret" is what everybody knows.
pub(super) fn hs256(secret: &[u8], id: &str, claims: &Value) -> String {
    let signed = unsigned(&json!({"alg": "HS256", "kid": id, "typ": "JWT"}), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What the provider does.
pub(super) struct Conduct {
    /// The keys that it publishes, by id.
    pub(super) keys: Vec<(String, Arc<SigningKey>)>,
    /// The key that it signs with.
    pub(super) signs_with: (String, Arc<SigningKey>),
    /// Puts other claims into the next ID tokens; `null` takes one out.
    pub(super) claims: Map<String, Value>,
    /// Makes the ID token itself, instead.
    pub(super) token: Option<fn(&Conduct, &Value) -> String>,
    /// What it says of people beside the token.
    pub(super) userinfo: Value,
    /// What it says of itself, in the place of what is true.
    pub(super) metadata: Map<String, Value>,
    /// The `iss` of its answers.
    pub(super) answers_as: Option<String>,
    /// Answers everything with so many bytes.
    pub(super) floods: bool,
    /// Answers nothing.
    pub(super) hangs: bool,
    /// How often its keys were asked for.
    pub(super) keys_asked_for: usize,
    /// What time it is.
    pub(super) now: u64,
    codes: BTreeMap<String, Asked>,
}

struct Asked {
    client_id: String,
    redirect_uri: String,
    nonce: String,
    challenge: String,
}

/// The provider.
#[derive(Clone)]
pub(super) struct ProviderDouble {
    pub(super) issuer: String,
    conduct: Arc<Mutex<Conduct>>,
}

/// Keys take a while to make, RSA's above all.
pub(super) static RSA: LazyLock<Arc<SigningKey>> = LazyLock::new(|| Arc::new(SigningKey::rs256()));

impl ProviderDouble {
    /// A provider that behaves. `now` in Unix seconds.
    pub(super) async fn start(now: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = ("k1".to_owned(), Arc::new(SigningKey::es256()));
        let conduct = Conduct {
            keys: vec![key.clone()],
            signs_with: key,
            claims: Map::new(),
            token: None,
            userinfo: Value::Null,
            metadata: Map::new(),
            answers_as: None,
            floods: false,
            hangs: false,
            keys_asked_for: 0,
            now,
            codes: BTreeMap::new(),
        };
        let double = Self { issuer, conduct: Arc::new(Mutex::new(conduct)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(double.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        double
    }

    /// What it does from now on.
    pub(super) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap()
    }

    /// The person says yes: where the browser goes, `redirect_uri?code=…&state=…`.
    pub(super) fn says_yes(&self, authorization: &Url) -> Url {
        let query: HashMap<String, String> = authorization.query_pairs().into_owned().collect();
        assert_eq!((query["response_type"].as_str(), query["code_challenge_method"].as_str()), ("code", "S256"));
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        let code = format!("code-{}", rand::random::<u64>());
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &query["state"]);
        let mut conduct = self.conduct();
        if let Some(issuer) = &conduct.answers_as {
            back.query_pairs_mut().append_pair("iss", issuer);
        }
        let asked = Asked {
            client_id: query["client_id"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
            nonce: query["nonce"].clone(),
            challenge: query["code_challenge"].clone(),
        };
        conduct.codes.insert(code, asked);
        back
    }
}

impl Conduct {
    /// What a good token says, with what was put in its place.
    pub(super) fn good_claims(&self, issuer: &str, audience: &str, nonce: Option<&str>) -> Value {
        let mut claims = json!({
            "iss": issuer, "aud": audience, "sub": "248289761001", "iat": self.now, "exp": self.now + 300, "nonce": nonce,
            "preferred_username": "alice",
        });
        for (name, value) in &self.claims {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// A token of these claims by the key that it signs with.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.signs_with.1.token(&self.signs_with.0, claims)
    }
}

async fn misconduct(double: &ProviderDouble) -> Option<Response> {
    let (floods, hangs) = {
        let conduct = double.conduct();
        (conduct.floods, conduct.hangs)
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    floods.then(|| Response::new(Body::from(vec![b' '; 2 * 1024 * 1024])))
}

async fn metadata(State(double): State<ProviderDouble>) -> Response {
    if let Some(response) = misconduct(&double).await {
        return response;
    }
    let at = |path: &str| format!("{}/{path}", double.issuer);
    let mut metadata = json!({
        "issuer": double.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("keys"),
        "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("sign-out"),
    });
    for (name, value) in &double.conduct().metadata {
        metadata[name] = value.clone();
    }
    Json(metadata).into_response()
}

async fn keys(State(double): State<ProviderDouble>) -> Response {
    double.conduct().keys_asked_for += 1;
    if let Some(response) = misconduct(&double).await {
        return response;
    }
    let keys: Vec<Value> = double.conduct().keys.iter().map(|(id, key)| key.public(id)).collect();
    Json(json!({ "keys": keys })).into_response()
}

async fn token(State(double): State<ProviderDouble>, Form(form): Form<HashMap<String, String>>) -> Response {
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    let mut conduct = double.conduct();
    let Some(asked) = form.get("code").and_then(|code| conduct.codes.remove(code)) else { return refused() };
    let verifier = form.get("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    if verifier.as_ref() != Some(&asked.challenge) || form.get("redirect_uri") != Some(&asked.redirect_uri) {
        return refused();
    }
    let claims = conduct.good_claims(&double.issuer, &asked.client_id, Some(&asked.nonce));
    let id_token = match conduct.token {
        Some(make) => make(&conduct, &claims),
        None => conduct.sign(&claims),
    };
    Json(json!({"access_token": "opaque", "token_type": "Bearer", "id_token": id_token})).into_response()
}

async fn userinfo(State(double): State<ProviderDouble>, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer opaque") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(double.conduct().userinfo.clone()).into_response()
}
