//! Requests that few clients send: strange methods, types, bodies and paths.

use serde_json::json;

use super::Generator;
use super::requests::json_type;
use super::value::{any, pick};
use crate::step::{Body, Step};
use crate::world::Resource;

impl<'w> Generator<'w> {
    pub(super) fn oddity(&mut self, resource: &'w Resource) -> Step {
        let prefix = self.world.words.prefix.clone();
        match self.rng.u32(..20) {
            0 => self.plain("GET", format!("{prefix}/"), resource),
            1 => {
                let method = *pick(&mut self.rng, &["HEAD", "OPTIONS", "POST", "DELETE"]);
                self.plain(method, format!("{prefix}/"), resource)
            }
            2 => self.schema(resource, &prefix),
            3 | 4 => {
                let path = self.collection_path(resource);
                self.plain("OPTIONS", path, resource)
            }
            5 => {
                let path = self.some_item(resource);
                self.plain("OPTIONS", path, resource)
            }
            6 => {
                let method = *pick(&mut self.rng, &["PUT", "PATCH", "TRACE", "FOO"]);
                let path = self.collection_path(resource);
                self.with_json(method, path, resource)
            }
            7 => {
                let method = *pick(&mut self.rng, &["POST", "TRACE", "FOO"]);
                let path = self.some_item(resource);
                self.with_json(method, path, resource)
            }
            8 => self.overridden(resource),
            9..12 => self.strange_body(resource),
            12 => self.strange_type(resource),
            13 => {
                let mut step = self.list(resource);
                step.path.push('/');
                step
            }
            14 => {
                let mut step = self.item(resource);
                step.path.push('/');
                step
            }
            15 => {
                let mut step = self.post(resource);
                step.path.push('/');
                step
            }
            16 | 17 => self.strange_path(resource),
            18 => {
                let mut step = self.list(resource);
                let accept = *pick(
                    &mut self.rng,
                    &["application/json", "text/html", "*/*", "application/json;q=0.5, */*;q=0.1", "nonsense"],
                );
                step.headers.push(("Accept".into(), accept.into()));
                step
            }
            _ => {
                let mut step = self.item(resource);
                step.method = "DELETE".to_owned();
                step
            }
        }
    }

    fn some_item(&mut self, resource: &'w Resource) -> String {
        let made = self.choose(resource);
        self.item_path(resource, made.as_ref())
    }

    fn with_json(&mut self, method: &str, path: String, resource: &'w Resource) -> Step {
        let mut step = self.plain(method, path, resource);
        step.body = Body::Json(json!({ "name": "x" }));
        step.headers.push(json_type());
        step
    }

    fn schema(&mut self, resource: &'w Resource, prefix: &str) -> Step {
        let endpoint = self.world.words.schema_endpoint.clone().unwrap_or_else(|| "schema".to_owned());
        let path = match self.rng.u32(..3) {
            0 => format!("{prefix}/{endpoint}"),
            1 => format!("{prefix}/{endpoint}/{}", resource.key),
            _ => format!("{prefix}/{endpoint}/nothing"),
        };
        let method = *pick(&mut self.rng, &["GET", "GET", "HEAD", "POST", "OPTIONS"]);
        self.plain(method, path, resource)
    }

    fn overridden(&mut self, resource: &'w Resource) -> Step {
        let to = *pick(&mut self.rng, &["GET", "PATCH", "put", "DELETE", "POST", "OPTIONS", "FOO", ""]);
        let mut step = match self.rng.u32(..3) {
            0 => self.post(resource),
            1 => self.item(resource),
            _ => self.patch(resource),
        };
        step.headers.retain(|(name, _)| name != "X-HTTP-Method-Override");
        step.headers.push(("X-HTTP-Method-Override".into(), to.into()));
        step.unordered = to == "GET";
        step
    }

    fn strange_body(&mut self, resource: &'w Resource) -> Step {
        let mut step = match self.rng.u32(..3) {
            0 => self.patch(resource),
            1 => self.put(resource),
            _ => self.post(resource),
        };
        let bodies = [
            "",
            " ",
            "{",
            "[",
            "nul",
            "null",
            "5",
            "\"text\"",
            "true",
            "[]",
            "{}",
            "[1]",
            "[[]]",
            "[null]",
            "{\"a\": 1, \"a\": 2}",
            "{\"name\": NaN}",
            "{\"name\": Infinity}",
            "{\"n\": -Infinity}",
            "{\"n\": 1e400}",
            "{\"n\": 12345678901234567890}",
            "{\"n\": 123456789012345678901234567890}",
            "{\"name\": \"\\ud800\"}",
            "{\"name\": \"\\u0000\"}",
            "{\"na\\u0000me\": 1}",
            "{'name': 'x'}",
            "{\"name\": \"x\",}",
            "{\"name\": \"x\"} x",
            "\u{feff}{\"name\": \"x\"}",
            "{\"n\": 01}",
            "{\"n\": .5}",
            "{\"name\": \"a\tb\"}",
            "name=x",
            "{\"n\": -0.0}",
            "{\"n\": 1E2}",
            "{\"n\": 0.1e1}",
        ];
        step.body = Body::Text((*pick(&mut self.rng, &bodies)).to_owned());
        step
    }

    fn strange_type(&mut self, resource: &'w Resource) -> Step {
        let mut step = self.post(resource);
        step.headers.retain(|(name, _)| name != "Content-Type");
        let types = [
            "",
            "text/plain",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/vnd.api+json",
            "application/xml",
            "application/x-www-form-urlencoded",
            "json",
            "application/json ;x",
        ];
        let kind = *pick(&mut self.rng, &types);
        if self.chance(0.9) {
            step.headers.push(("Content-Type".into(), kind.into()));
        }
        if self.chance(0.3) {
            step.body = Body::Text(
                (*pick(&mut self.rng, &["", "name=x", "a=1&a=2&b", "name=%zz", "name=a%ffb+", "=x", "--x--"]))
                    .to_owned(),
            );
        }
        step
    }

    fn strange_path(&mut self, resource: &'w Resource) -> Step {
        let collection = self.collection_path(resource);
        let parts = [
            "/nothing",
            "/5F0000000000000000000001",
            "/5f00000000000000000000010",
            "/5f000000000000000000000",
            "/%20",
            "/a%2Fb",
            "/%ff",
            "/a/b",
            "/-7",
            "/007",
            "/1.5",
            "/1e3",
            "/ä",
            "/%C3%A4",
            "/a%00b",
            "/x;y",
            "/%E2%82%AC",
            "/_id",
            "/0",
            "/99999999999999999999",
        ];
        let path = match self.rng.u32(..6) {
            0 => "/nowhere".to_owned(),
            1 => collection.to_uppercase(),
            _ => format!("{collection}{}", pick(&mut self.rng, &parts)),
        };
        let method = *pick(&mut self.rng, &["GET", "GET", "GET", "POST", "DELETE", "PATCH"]);
        let mut step = self.plain(method, path, resource);
        if matches!(method, "POST" | "PATCH") {
            step.body = Body::Json(any(&mut self.rng, 1));
            step.headers.push(json_type());
        }
        step
    }
}
