//! What clients and people do.

use super::*;

impl Client {
    /// The same client, talking to another server.
    pub fn with_server(&self, place: &Place) -> Self {
        Self { url: place.url.clone(), ..self.clone() }
    }

    /// The same client at another address: see [`Server::behind_proxy`].
    pub fn at(&self, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..self.clone() }
    }

    fn request(&self, endpoint: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.post(format!("{}/oauth{endpoint}", self.url));
        if let Some(address) = &self.address {
            request = request.header("x-forwarded-for", address);
        }
        match &self.secret {
            Some(secret) => request.header("authorization", basic(&self.id, secret)),
            None => request,
        }
    }

    /// Posts a form as this client.
    pub async fn post(&self, endpoint: &str, form: Parameters<'_>) -> Answer {
        let mut form = form.to_vec();
        if self.secret.is_none() {
            form.push(("client_id", &self.id));
        }
        Answer::of(self.request(endpoint).form(&form)).await
    }

    pub async fn token(&self, form: Parameters<'_>) -> Answer {
        self.post("/token", form).await
    }

    pub async fn redeem(&self, code: &Code) -> Answer {
        self.redeem_with(code, &[]).await
    }

    /// Redeems with parameters replaced or, where empty, left out.
    pub async fn redeem_with(&self, code: &Code, changes: Parameters<'_>) -> Answer {
        let base = [
            ("grant_type", "authorization_code"),
            ("code", &code.text),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
        ];
        let form = overlaid(&base, changes);
        self.token(&form).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.refresh_with(refresh_token, &[]).await
    }

    pub async fn refresh_with(&self, refresh_token: &str, more: Parameters<'_>) -> Answer {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        form.extend(more);
        self.token(&form).await
    }

    /// What introspection says, as this client.
    pub async fn introspect(&self, token: &str) -> Value {
        self.post("/introspect", &[("token", token)]).await.ok()
    }

    pub async fn finds_active(&self, token: &str) -> bool {
        let told = self.introspect(token).await;
        if told["active"] == false {
            assert_eq!(told, json!({"active": false}), "an inactive token is told nothing more of");
        }
        told["active"] == true
    }

    pub async fn revoke(&self, token: &str) -> Answer {
        self.post("/revoke", &[("token", token)]).await
    }

    /// Follows what ends, as this client.
    pub async fn follow(&self) -> Following {
        Following::of(self.request("/revocations").form::<[(&str, &str); 0]>(&[])).await
    }

    /// Signs a person in by the password grant.
    pub async fn password(&self, username: &str, password: &str) -> Answer {
        self.token(&[("grant_type", "password"), ("username", username), ("password", password)]).await
    }
}

impl Person {
    /// The same person, talking to another server.
    pub fn with_server(&self, place: &Place) -> Self {
        Self { url: place.url.clone(), ..self.clone() }
    }

    /// A browser of this person's, in which nobody is signed in yet.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.url, self.http.clone())
    }

    /// Signs in in a new browser, allows what the client asks for, and hands over the code.
    pub async fn authorize(&self, client: &Client) -> Code {
        self.authorize_with(client, &[]).await
    }

    /// The same with parameters of the request replaced or, where empty, left out.
    pub async fn authorize_with(&self, client: &Client, changes: Parameters<'_>) -> Code {
        self.authorize_in(&self.browser(), client, changes).await
    }

    /// The same in a browser that may have a session.
    pub async fn authorize_in(&self, browser: &Browser, client: &Client, changes: Parameters<'_>) -> Code {
        let verifier = shared::random::random_token("");
        let challenge = challenge(&verifier);
        let base = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", CALLBACK),
            ("state", "st"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let form = overlaid(&base, changes);
        let location = browser.authorize(&query(&form), self).await;
        let answer = url::Url::parse(&location).unwrap();
        let text = answer.query_pairs().find(|(name, _)| name == "code");
        let text = text.unwrap_or_else(|| panic!("no code in {location}")).1.into_owned();
        let sent = form.iter().find(|(name, _)| *name == "redirect_uri").map_or(CALLBACK, |(_, uri)| uri);
        Code { text, verifier, redirect_uri: sent.to_owned() }
    }

    /// The whole way to tokens.
    pub async fn tokens(&self, client: &Client) -> Tokens {
        client.redeem(&self.authorize(client).await).await.tokens()
    }
}
