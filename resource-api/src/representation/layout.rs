//! A finished JSON body laid out anew: sorted (JSON_SORT_KEYS), indented (`?pretty`, RESP-03). Numbers keep their text.

/// How the body shall look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub sort_keys: bool,
    pub pretty: bool,
}

/// Spaces a level.
const INDENT: usize = 4;

/// The same value in another layout. `json` was written by this service.
pub fn lay_out(json: &[u8], layout: Layout) -> Vec<u8> {
    let mut writer = Writer { json, at: 0, layout, out: Vec::with_capacity(json.len() * 2) };
    writer.value(0);
    writer.out
}

struct Writer<'a> {
    json: &'a [u8],
    at: usize,
    layout: Layout,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, depth: usize) {
        self.skip_space();
        match self.json.get(self.at) {
            Some(b'{') => self.members(depth, true),
            Some(b'[') => self.members(depth, false),
            _ => {
                let scalar = self.scalar();
                self.out.extend_from_slice(scalar);
            }
        }
    }

    /// The members of an object or array, each written to a place of its own first where they are to be sorted.
    fn members(&mut self, depth: usize, object: bool) {
        let (open, close) = if object { (b'{', b'}') } else { (b'[', b']') };
        self.at += 1;
        self.out.push(open);
        let start = self.out.len();
        // Each member's key, and where its whole text is in the output.
        let mut spans: Vec<(String, std::ops::Range<usize>)> = Vec::new();
        loop {
            self.skip_space();
            match self.json.get(self.at) {
                Some(b',') => self.at += 1,
                Some(byte) if *byte != close => {
                    let from = self.out.len();
                    let mut name = String::new();
                    if object {
                        let key = self.scalar();
                        if self.layout.sort_keys {
                            // Escapes are resolved: the order is that of the characters.
                            name = serde_json::from_slice(key).unwrap_or_default();
                        }
                        self.out.extend_from_slice(key);
                        self.out.extend_from_slice(b": ");
                        self.skip_space();
                        // The colon.
                        self.at += 1;
                    }
                    self.value(depth + 1);
                    spans.push((name, from..self.out.len()));
                }
                _ => break,
            }
        }
        self.at += 1;
        if object && self.layout.sort_keys {
            spans.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let members = self.out.split_off(start);
        for (index, (_, span)) in spans.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if self.layout.pretty { b"," } else { b", " });
            }
            self.line(depth + 1);
            self.out.extend_from_slice(&members[span.start - start..span.end - start]);
        }
        if !spans.is_empty() {
            self.line(depth);
        }
        self.out.push(close);
    }

    fn line(&mut self, depth: usize) {
        if self.layout.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + depth * INDENT, b' ');
        }
    }

    fn scalar(&mut self) -> &'a [u8] {
        let from = self.at;
        if self.json.get(from) == Some(&b'"') {
            self.at += 1;
            while let Some(byte) = self.json.get(self.at) {
                self.at += match byte {
                    b'\\' => 2,
                    _ => 1,
                };
                if *byte == b'"' {
                    break;
                }
            }
        } else {
            while self.json.get(self.at).is_some_and(|byte| !matches!(byte, b',' | b']' | b'}' | b' ')) {
                self.at += 1;
            }
        }
        self.json.get(from..self.at).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while self.json.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BODY: &str = r#"{"b": [1.0, {"z": "}\"]", "y": {}}, []], "a": 1e+20, "a b": null}"#;

    fn laid(layout: Layout) -> String {
        String::from_utf8(lay_out(BODY.as_bytes(), layout)).unwrap()
    }

    /// RESP-02: JSON_SORT_KEYS holds at every level.
    #[test]
    fn keys_are_sorted_at_every_level() {
        let sorted = laid(Layout { sort_keys: true, pretty: false });
        assert_eq!(sorted, r#"{"a": 1e+20, "a b": null, "b": [1.0, {"y": {}, "z": "}\"]"}, []]}"#);
        assert_eq!(laid(Layout { sort_keys: false, pretty: false }), BODY);
    }

    /// RESP-03: four spaces, no line end at the end, as Python's json lays it out.
    #[test]
    fn a_pretty_body_is_indented_by_four() {
        let pretty = laid(Layout { sort_keys: false, pretty: true });
        let expected = "{\n    \"b\": [\n        1.0,\n        {\n            \"z\": \"}\\\"]\",\n            \"y\": {}\n        },\n        []\n    ],\n    \"a\": 1e+20,\n    \"a b\": null\n}";
        assert_eq!(pretty, expected);
    }
}
