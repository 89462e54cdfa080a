//! A browser as far as these tests need one: it keeps cookies and follows nothing by itself.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use shared::form::encode;
use shared::http_client::{HttpClient, HttpClientConfig};

#[derive(Clone)]
pub struct Browser {
    http: HttpClient,
    /// Where the app listens; its public origin may be another.
    address: String,
    pub cookies: BTreeMap<String, String>,
    pub headers: Vec<(&'static str, &'static str)>,
}

/// An answer, read whole.
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Browser {
    pub fn new(address: &str) -> Self {
        thread_local! {
            /// Loading the system's certificates takes a while: one client serves a whole test.
            static HTTP: HttpClient =
                HttpClient::new(&HttpClientConfig { timeout: 30.0, ..HttpClientConfig::default() }).unwrap();
        }
        Self {
            http: HTTP.with(HttpClient::clone),
            address: address.to_owned(),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(reqwest::Method::GET, path, None).await
    }

    /// Posts a form; the page's CSRF token must be among the fields.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.send(reqwest::Method::POST, path, Some(("application/x-www-form-urlencoded", fields.join("&")))).await
    }

    pub async fn send(&mut self, method: reqwest::Method, path: &str, body: Option<(&str, String)>) -> Page {
        let own = path.starts_with('/');
        let url = if own { format!("{}{path}", self.address) } else { path.to_owned() };
        let mut request = self.http.request(method, url);
        if own {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
            for (name, value) in &self.headers {
                request = request.header(*name, *value);
            }
        }
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if own {
            for cookie in headers.get_all("set-cookie") {
                let cookie = cookie.to_str().unwrap();
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                if cookie.contains("Max-Age=0") {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        // Templates escape slashes, too, which nothing here depends on.
        Page { status, headers, text: response.text().await.unwrap().replace("&#x2f;", "/") }
    }

    /// From "Sign in" to the page of the authorization server's answer: the path of the callback, with its query.
    pub async fn authorize(&mut self, login: &str) -> String {
        let away = self.get(login).await;
        assert_eq!(away.status, 303, "{}", away.text);
        let back = self.get(away.location()).await;
        let location = back.location();
        location[location.find("/callback").unwrap()..].to_owned()
    }

    /// Signs in, up to the redirect to the target.
    pub async fn sign_in(&mut self) -> Page {
        let callback = self.authorize("/login").await;
        let done = self.get(&callback).await;
        assert_eq!(done.status, 303, "{}", done.text);
        done
    }
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let start =
            self.text.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}:\n{}", self.text));
        let rest = &self.text[start..];
        let value = rest.split_once("value=\"").unwrap().1;
        let value = value.split('"').next().unwrap();
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&amp;", "&")
    }

    pub fn csrf(&self) -> String {
        self.hidden("csrf")
    }

    #[track_caller]
    pub fn shows(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.text.contains(text), "{text} is missing in:\n{}", self.text);
    }
}
