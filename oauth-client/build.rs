//! Puts the templates into the binary.

#[allow(clippy::disallowed_methods, reason = "the macro asks Cargo for OUT_DIR")]
fn main() {
    minijinja_embed::embed_templates!("templates");
}
