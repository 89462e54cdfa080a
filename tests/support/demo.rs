//! The demo's user.

use serde_json::Value;

/// A token by the password grant, for the demo's user.
pub async fn token(http: &reqwest::Client, auth: &str, password: &str) -> String {
    let form = [
        ("grant_type", "password"),
        ("client_id", evergate::CURL_CLIENT),
        ("username", "demo"),
        ("password", password),
    ];
    let answer = http.post(format!("{auth}/oauth/token")).form(&form).send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
