//! Somebody who signs in through a balancer: cookies, and forms filled in from the pages.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::instances::{CALLBACK, PASSWORD};

pub struct Visitor {
    url: String,
    http: reqwest::Client,
    cookies: RefCell<BTreeMap<String, String>>,
    /// Pages on which a password was asked for.
    pub asked: RefCell<usize>,
}

impl Visitor {
    pub fn of(url: String, http: reqwest::Client) -> Self {
        Self { url, http, cookies: RefCell::default(), asked: RefCell::default() }
    }

    /// Alice goes through an authorization request of the shop's; the answer is the code.
    pub async fn authorize(&self, challenge: &str) -> String {
        let mut request = self.http.get(format!(
            "{}/oauth/authorize?response_type=code&client_id=shop&redirect_uri={}&state=st&scope=people:read&\
             code_challenge={challenge}&code_challenge_method=S256",
            self.url,
            shared::form::encode(CALLBACK)
        ));
        for _ in 0..8 {
            let answer = self.send(request).await;
            if answer.status() == 303 {
                let location = answer.headers()["location"].to_str().unwrap().to_owned();
                if location.starts_with(CALLBACK) {
                    let found = url::Url::parse(&location).unwrap();
                    let code = found.query_pairs().find(|(name, _)| name == "code");
                    return code.unwrap_or_else(|| panic!("no code in {location}")).1.into_owned();
                }
                let onward = if location.starts_with('/') { format!("{}{location}", self.url) } else { location };
                request = self.http.get(onward);
                continue;
            }
            let (status, page) = (answer.status(), answer.text().await.unwrap());
            assert!(status == 200 && page.contains("name=\"password\""), "{status}: {page}");
            *self.asked.borrow_mut() += 1;
            let (csrf, tx) = (hidden(&page, "csrf"), hidden(&page, "tx"));
            let form = [("csrf", csrf.as_str()), ("tx", &tx), ("username", "alice"), ("password", PASSWORD)];
            request = self.http.post(format!("{}/oauth/login", self.url)).form(&form);
        }
        panic!("the authorization request goes round in circles")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let start = page.find(&mark).unwrap_or_else(|| panic!("no hidden field {name} in {page}")) + mark.len();
    page[start..].split('"').next().unwrap().to_owned()
}
