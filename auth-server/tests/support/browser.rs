//! A browser's part: one cookie jar for one site, forms filled in from the page, redirects followed by hand.

use std::cell::RefCell;
use std::collections::BTreeMap;

use shared::http_client::HttpClient;

use super::{Answer, Parameters, Person};

pub struct Browser {
    url: String,
    http: HttpClient,
    cookies: RefCell<BTreeMap<String, String>>,
    address: Option<String>,
    agent: String,
}

impl Browser {
    pub fn new(url: &str, http: HttpClient) -> Self {
        Self { url: url.to_owned(), http, cookies: RefCell::default(), address: None, agent: "Tester/1.0".to_owned() }
    }

    /// The same with another `User-Agent`.
    pub fn calling_itself(self, agent: &str) -> Self {
        Self { agent: agent.to_owned(), ..self }
    }

    /// The same at another address: see [`super::Server::behind_proxy`].
    pub fn at(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// Opens a path or a URL of the server.
    pub async fn get(&self, address: &str) -> Answer {
        self.send(self.http.get(self.absolute(address))).await
    }

    pub async fn post(&self, address: &str, form: Parameters<'_>) -> Answer {
        self.send(self.http.post(self.absolute(address)).form(form)).await
    }

    /// A post that the browser says comes from `site`: `same-origin`, `same-site`, `cross-site` or `none`.
    pub async fn post_from(&self, site: &str, address: &str, form: Parameters<'_>) -> Answer {
        self.send(self.http.post(self.absolute(address)).header("sec-fetch-site", site).form(form)).await
    }

    /// The value of a cookie that the server set.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Signs a person in at the login page.
    pub async fn sign_in(&self, person: &Person) -> Answer {
        let page = self.get("/oauth/login").await;
        let csrf = hidden(&page.body, "csrf");
        let form = [("csrf", csrf.as_str()), ("username", &person.username), ("password", &person.password)];
        self.post("/oauth/login", &form).await
    }

    /// Fills in the login page, whoever signs in.
    pub async fn attempt(&self, username: &str, password: &str) -> Answer {
        let csrf = hidden(&self.get("/oauth/login").await.body, "csrf");
        self.post("/oauth/login", &[("csrf", &csrf), ("username", username), ("password", password)]).await
    }

    /// Goes through an authorization request, signing in and allowing where asked; the answer is where it leads out of
    /// the server.
    pub async fn authorize(&self, query: &str, person: &Person) -> String {
        let mut answer = self.get(&format!("/oauth/authorize?{query}")).await;
        for _ in 0..8 {
            answer = match answer.status {
                303 => {
                    let location = answer.header("location").to_owned();
                    if !(location.starts_with('/') || location.starts_with(&self.url)) {
                        return location;
                    }
                    self.get(&location).await
                }
                200 => {
                    let (csrf, tx) = (hidden(&answer.body, "csrf"), hidden(&answer.body, "tx"));
                    let common = [("csrf", csrf.as_str()), ("tx", tx.as_str())];
                    if answer.body.contains("name=\"password\"") {
                        let own = [("username", person.username.as_str()), ("password", person.password.as_str())];
                        self.post("/oauth/login", &[common, own].concat()).await
                    } else {
                        self.post("/oauth/consent", &[&common[..], &[("decision", "allow")]].concat()).await
                    }
                }
                status => panic!("{status}: {}", answer.body),
            };
        }
        panic!("the authorization request goes round in circles")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("cookie", cookies.join("; ")).header("user-agent", &self.agent);
        let request = match &self.address {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        };
        let answer = Answer::of(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || cookie.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.set_cookie(name, value);
            }
        }
        answer
    }

    fn absolute(&self, address: &str) -> String {
        if address.starts_with('/') { format!("{}{address}", self.url) } else { address.to_owned() }
    }
}

/// The value of a hidden field.
#[track_caller]
pub fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let start = page.find(&mark).unwrap_or_else(|| panic!("no hidden field {name} in {page}")) + mark.len();
    page[start..].split('"').next().unwrap().to_owned()
}
