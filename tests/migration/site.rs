//! A stack in a folder of its own, run as a program, with documents of every type of BSON.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::processes::{evergate, free_ports};

/// Documents whose values are of every type.
const TYPES: [&str; 5] = [
    r#"{"n": -1, "a": {"$numberInt": "1"}, "b": {"$numberLong": "1"}, "c": 1.5, "d": {"$numberDecimal": "1.10"}, "e": "text é", "f": true, "g": null}"#,
    r#"{"n": -2, "a": {"$oid": "5f0000000000000000000001"}, "b": {"$date": "2026-01-02T03:04:05.678Z"}, "c": {"$binary": {"base64": "AP8=", "subType": "00"}}}"#,
    r#"{"n": -3, "a": {"$binary": {"base64": "AAECAwQFBgcICQoLDA0ODw==", "subType": "04"}}, "b": {"$regularExpression": {"pattern": "^a", "options": "i"}}}"#,
    r#"{"n": -4, "a": {"$timestamp": {"t": 5, "i": 6}}, "b": {"$minKey": 1}, "c": {"$maxKey": 1}, "d": {"$code": "f()"}, "e": {"$symbol": "s"}}"#,
    r#"{"n": -5, "a": [1, [2, {"b": []}], {}], "b": {"c": {"d": {"$numberDouble": "-0.0"}}}, "e": {"$numberDouble": "NaN"}}"#,
];

/// A stack's folder and settings.
pub struct Site {
    pub folder: tempfile::TempDir,
    ports: [u16; 3],
}

/// The stack as it runs; it ends with the value.
pub struct Running {
    child: Child,
    logins: Vec<Value>,
}

impl Drop for Running {
    fn drop(&mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().ok();
        self.child.wait().ok();
    }
}

/// An access and a refresh token.
pub struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn read(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// Settings of a stack whose services keep their data in this database.
pub fn in_database(url: &str) -> String {
    format!("[auth.settings]\nstore = '{url}'\n[api.settings]\nstore = '{url}'\n")
}

/// Every row of every table, without the numbers that a file gives its own tables; what expires, and is not the same in two copies
/// for that reason alone, only as far as it lives a minute more.
pub fn dump(file: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = rusqlite::Connection::open(file).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut query = connection.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let columns = query.column_count();
        let mut rows = query.query([]).unwrap();
        let mut texts = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            texts.push(cells.join(" | "));
        }
        texts
    };
    let names = |sql: &str| -> Vec<(String, String)> {
        let mut query = connection.prepare(sql).unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let tables = names("SELECT name, name FROM sqlite_schema WHERE type = 'table'");
    let mut all = BTreeMap::new();
    let has = |name: &str| tables.iter().any(|(table, _)| table == name);
    for table in ["user", "user_role", "client", "scope", "consent", "note", "audit", "audit_term"] {
        if has(table) {
            all.insert(table.to_owned(), texts(&format!("SELECT * FROM {table} ORDER BY 1, 2")));
        }
    }
    if has("expiring") {
        let lives = "expires_at > (unixepoch() + 60) * 1000";
        all.insert("expiring".to_owned(), texts(&format!("SELECT * FROM expiring WHERE {lives} ORDER BY key")));
        let owners =
            format!("SELECT owner, key FROM expiring_owner JOIN expiring USING (key) WHERE {lives} ORDER BY 1, 2");
        all.insert("expiring_owner".to_owned(), texts(&owners));
    }
    if has("document_source") {
        for (source, number) in names("SELECT name, CAST(number AS TEXT) FROM document_source") {
            let documents = texts(&format!("SELECT id, body FROM doc_{number} ORDER BY id"));
            all.insert(format!("documents of {source}"), documents);
        }
    }
    all
}

impl Site {
    /// With the documents of every type, and so many more.
    pub fn with_things(number: usize) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), ports: free_ports() };
        let domain = json!({
            "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH"], "PAGINATION_LIMIT": 300,
            "DOMAIN": { "things": {
                "allow_unknown": true, "schema": { "n": { "type": "integer", "unique": true }, "text": { "type": "string" } },
                "mongo_indexes": { "by_text": [["text", 1]] },
            } },
        });
        std::fs::write(site.path("domain.json"), domain.to_string()).unwrap();
        site.write_settings("");
        if number > 0 {
            std::fs::create_dir(site.path("data")).unwrap();
            let mut lines = std::fs::File::create(site.path("things.ndjson")).unwrap();
            let things = (0..number).map(|n| json!({"n": n, "text": format!("thing {}", n % 97)}).to_string());
            let all: Vec<String> = TYPES.iter().map(|line| (*line).to_owned()).chain(things).collect();
            lines.write_all(all.join("\n").as_bytes()).unwrap();
            std::fs::write(site.path("import.toml"), site.api_config("sqlite:data/api.db")).unwrap();
            let imported =
                evergate(site.folder.path(), &["api", "import", "things", "things.ndjson", "--config", "import.toml"]);
            assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        }
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn api_config(&self, store: &str) -> String {
        let [_, auth, api] = self.ports;
        format!(
            "domain = 'domain.json'\nstore = '{store}'\npublic_url = 'http://127.0.0.1:{api}'\nissuer = 'http://127.0.0.1:{auth}'\n\
             client_id = 'c'\nclient_secret = 's'\n[server]\nlisten = '127.0.0.1:{api}'\ntls = false\n"
        )
    }

    fn write_settings(&self, more: &str) {
        let [client, auth, api] = self.ports;
        let part = |name: &str, port: u16| format!("[{name}]\nlisten = '127.0.0.1:{port}'\ntls = false\n");
        let parts = [part("client", client), part("auth", auth), part("api", api)].concat();
        std::fs::write(self.path("evergate.toml"), format!("domain = 'domain.json'\n{parts}{more}")).unwrap();
    }

    /// The stack with more settings.
    pub fn run(&self, more: &str) -> Running {
        self.write_settings(more);
        let mut child = Command::new(env!("CARGO_BIN_EXE_evergate"))
            .current_dir(self.folder.path())
            .args(["run", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Running { child, logins: told["logins"].as_array().unwrap().clone() }
    }

    pub fn migrate(&self, arguments: &[&str]) -> Output {
        evergate(self.folder.path(), &[&["migrate"], arguments].concat())
    }

    /// A move that ends well; its report.
    pub fn moved(&self, arguments: &[&str]) -> Value {
        let output = self.migrate(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a service says that does not start on a store.
    pub fn refused_to_serve(&self, command: &str, service: &str, store: &str) -> String {
        let [_, auth, _] = self.ports;
        let config = match service {
            "auth" => format!(
                "issuer = 'http://127.0.0.1:{auth}'\nstore = '{store}'\nmaster_key_file = 'data/auth.key'\ndev = true\n[server]\nlisten = '127.0.0.1:{auth}'\ntls = false\n"
            ),
            _ => self.api_config(store),
        };
        std::fs::write(self.path("half.toml"), config).unwrap();
        let output = evergate(self.folder.path(), &[command, "serve", "--config", "half.toml"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    }

    fn auth(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/oauth{path}", self.ports[1])
    }

    fn password(running: &Running) -> String {
        let demo = running.logins.iter().find(|login| login["username"] == "demo").unwrap();
        demo["password"].as_str().unwrap().to_owned()
    }

    async fn token(&self, form: &[(&str, &str)]) -> Tokens {
        let form = [form, &[("client_id", evergate::CURL_CLIENT)]].concat();
        let answer = reqwest::Client::new().post(self.auth("/token")).form(&form).send().await.unwrap();
        Tokens::read(&serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// Of the demo's account.
    pub async fn tokens(&self, running: &Running) -> Tokens {
        let password = Self::password(running);
        self.token(&[("grant_type", "password"), ("username", "demo"), ("password", &password)]).await
    }

    pub async fn refreshed(&self, _running: &Running, tokens: &Tokens) -> Tokens {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]).await
    }

    /// What the API answers to many questions: status, ETag and body.
    pub async fn answers(&self, _running: &Running, tokens: &Tokens) -> Vec<String> {
        let http = reqwest::Client::new();
        let ask = async |path: &str| {
            let url = format!("http://127.0.0.1:{}/{path}", self.ports[2]);
            let answer = http.get(url).bearer_auth(&tokens.access).header("accept", "application/json").send().await;
            let answer = answer.unwrap();
            let etag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            let status = answer.status();
            (status.to_string(), etag, answer.text().await.unwrap())
        };
        let mut answers = Vec::new();
        let all = ask("things?max_results=300&sort=n").await;
        let listed: Value = serde_json::from_str(&all.2).unwrap();
        let ids: Vec<&str> = listed["_items"]
            .as_array()
            .into_iter()
            .flatten()
            .take(6)
            .map(|item| item["_id"].as_str().unwrap())
            .collect();
        let queries =
            ["where={\"text\":\"thing 5\"}", "sort=-n&page=2&max_results=7", "where={\"n\":{\"$lt\":-1}}&sort=-n"];
        answers.push(format!("{all:?}"));
        for path in ids.iter().map(|id| format!("things/{id}")).chain(queries.map(|query| format!("things?{query}"))) {
            answers.push(format!("{path}: {:?}", ask(&path).await));
        }
        answers
    }

    /// An ETag that was given out before is good for a change.
    pub async fn changes_a_thing(&self, _running: &Running, tokens: &Tokens) {
        let http = reqwest::Client::new();
        let url = format!("http://127.0.0.1:{}/things", self.ports[2]);
        let found = http.get(format!("{url}?where={{\"n\":3}}")).bearer_auth(&tokens.access).send().await.unwrap();
        let found: Value = serde_json::from_str(&found.text().await.unwrap()).unwrap();
        let (id, etag) = (&found["_items"][0]["_id"], found["_items"][0]["_etag"].as_str().unwrap());
        let change = http.patch(format!("{url}/{}", id.as_str().unwrap())).bearer_auth(&tokens.access);
        let change =
            change.header("if-match", etag).header("content-type", "application/json").body("{\"text\": \"new\"}");
        assert_eq!(change.send().await.unwrap().status(), 200);
    }

    /// A browser signs in by the page; its cookies.
    pub async fn signed_in(&self, running: &Running) -> String {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let cookies = |answer: &reqwest::Response| {
            let given = answer.headers().get_all("set-cookie").iter();
            given
                .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join("; ")
        };
        let page = http.get(self.auth("/login")).send().await.unwrap();
        let cookie = cookies(&page);
        let text = page.text().await.unwrap();
        let csrf = text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = [("csrf", csrf), ("username", "demo"), ("password", &Self::password(running))];
        let answer = http.post(self.auth("/login")).header("cookie", cookie).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = cookies(&answer);
        assert!(self.is_signed_in(running, &cookie).await);
        cookie
    }

    pub async fn is_signed_in(&self, _running: &Running, cookie: &str) -> bool {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let page = http.get(self.auth("/account")).header("cookie", cookie).send().await.unwrap();
        page.status() == 200 && page.text().await.unwrap().contains("demo")
    }
}
