use crate::Target;
use crate::random::Random;

/// Between the parts of [`MULTIPART`].
pub const BOUNDARY: &str = "x";

/// For an API that makes lists of single and of repeated fields; accepted whether or not fields are JSON.
pub const MULTIPART: Target = Target {
    name: "multipart",
    generate: |random| {
        let mut text = random.pick(&["", "", "a preamble\r\n"]).to_owned();
        let mut names = NAMES.to_vec();
        for _ in 0..=random.below(6) {
            let name = names.swap_remove(random.below(names.len()));
            // Of a list each element is a part.
            let times = if name == "tags" { random.below(4) + 1 } else { 1 };
            for _ in 0..times {
                part(random, name, &mut text);
            }
        }
        text.push_str("--x--");
        text.push_str(random.pick(&["", "\r\n", "\r\nan epilogue"]));
        text
    },
    words: &[
        "--x",
        "--x--",
        "\r\n--x\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n\n",
        "--",
        "Content-Disposition: form-data; name=\"text\"\r\n\r\n",
        "Content-Disposition: attachment",
        "; name=",
        "; name*=UTF-8''%e2%82",
        "; filename=\"a.txt\"",
        "; filename*=",
        "name=\"\"",
        "name=\"inner.b.c.d\"",
        "name=\"$set\"",
        "name=\"_id\"",
        "Content-Type: multipart/mixed; boundary=y\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Length: 99999999999\r\n",
        "[[[[1",
        "{\"a\": ",
        "\\ud800",
    ],
};

const NAMES: [&str; 12] =
    ["text", "number", "ratio", "price", "flag", "when", "other", "tags", "inner.b.c", "choice", "code", "mail"];

fn part(random: &mut Random, name: &str, out: &mut String) {
    let header = random.pick(&["Content-Disposition", "content-disposition", "CONTENT-DISPOSITION"]);
    let quoted = if random.chance(3) { name.to_owned() } else { format!("\"{name}\"") };
    let more = random.pick(&[
        "",
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "X-Other: 1\r\n",
    ]);
    out.push_str(&format!("--x\r\n{header}: form-data; name={quoted}\r\n{more}\r\n{}\r\n", value(random, name)));
}

fn value(random: &mut Random, name: &str) -> String {
    match name {
        "number" => (random.below(2_000_000) as i64 - 1_000_000).to_string(),
        "ratio" => random.pick(&["1.5", "-3", "0", "1e10"]).to_owned(),
        "price" => random.pick(&["1.50", "-3", "99999999"]).to_owned(),
        "flag" => random.pick(&["true", "false"]).to_owned(),
        "when" => "Tue, 06 Nov 2012 10:33:31 GMT".to_owned(),
        "other" => format!("a{:023x}", u128::from(random.next())),
        "choice" => random.pick(&["abc", "7"]).to_owned(),
        "mail" => "ada@example.org".to_owned(),
        _ => random.pick(&["a", "Zürich", "x y", "", "quote's", "--x", "-"]).to_owned(),
    }
}
