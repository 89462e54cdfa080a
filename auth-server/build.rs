//! Puts the templates into the binary.

#[allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by variables")]
fn main() {
    minijinja_embed::embed_templates!("templates");
}
