//! HTML pages: minijinja templates in the binary, operators' own ones first, and the headers every page carries.

use std::path::Path;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{clock, request_id};

const BASE: &str = include_str!("../templates/base.html");
const STYLE: &str = include_str!("../templates/style.css");

/// A service's templates. Each sees, beside its own data: `request_id`, `time`, `style` (the style sheet's URL) and `root`
/// (the path prefix of links).
pub struct Pages {
    environment: Environment<'static>,
    root: String,
    style: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    #[error("can't read templates in {folder}: {source}")]
    Folder { folder: String, source: std::io::Error },
    #[error("template {name}: {source}")]
    Template { name: String, source: minijinja::Error },
}

/// What a page may do beyond showing itself (A-057, A-058, E-036).
#[derive(Default, Clone)]
pub struct Policy {
    /// Origins, or private schemes with their colon, that forms may lead to beside this one.
    pub form_action: Vec<String>,
    /// Lets inline scripts with this nonce run; without it no script runs.
    pub script_nonce: Option<String>,
}

impl Pages {
    /// `load` adds the service's embedded templates; files in `overrides` replace them by name. `root` stands before every
    /// path, without a slash at its end.
    pub fn new(
        load: impl FnOnce(&mut Environment<'static>),
        overrides: Option<&Path>,
        root: &str,
    ) -> Result<Self, PagesError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .set_auto_escape_callback(|name| if name.ends_with(".css") { AutoEscape::None } else { AutoEscape::Html });
        let mut add = |name: String, text: String| {
            environment.add_template_owned(name.clone(), text).map_err(|source| PagesError::Template { name, source })
        };
        add("base.html".to_owned(), BASE.to_owned())?;
        add("style.css".to_owned(), STYLE.to_owned())?;
        load(&mut environment);
        if let Some(folder) = overrides {
            let fault = |source| PagesError::Folder { folder: folder.display().to_string(), source };
            for file in std::fs::read_dir(folder).map_err(fault)? {
                let path = file.map_err(fault)?.path();
                let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
                if path.is_file() && (name.ends_with(".html") || name.ends_with(".css")) {
                    let text = std::fs::read_to_string(&path).map_err(fault)?;
                    environment
                        .add_template_owned(name.clone(), text)
                        .map_err(|source| PagesError::Template { name, source })?;
                }
            }
        }
        let style = render(&environment, "style.css", Value::from(()))
            .map_err(|source| PagesError::Template { name: "style.css".to_owned(), source })?;
        let digest = Sha256::digest(style.as_bytes());
        let version = format!("{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]);
        // Paths from the configuration: escaping their slashes would only make the pages hard to read.
        environment.add_global("style", Value::from_safe_string(format!("{root}/assets/style.css?v={version}")));
        environment.add_global("root", Value::from_safe_string(root.to_owned()));
        Ok(Self { environment, root: root.to_owned(), style })
    }

    /// The path of the style sheet, for the route table.
    pub fn style_path(&self) -> String {
        format!("{}/assets/style.css", self.root)
    }

    /// The style sheet; its URL changes with it, so it may be kept.
    pub fn style(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .content_type("text/css; charset=utf-8")
            .body(self.style.clone())
    }

    /// A page with all its headers.
    pub fn respond(&self, status: StatusCode, template: &str, data: impl Serialize, policy: &Policy) -> HttpResponse {
        match self.text(template, data, policy) {
            Ok(text) => {
                with_headers(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text), policy)
            }
            Err(error) => {
                log::error!("template {template}: {error:#}");
                let text = "<!doctype html><html lang=en><title>Something went wrong</title><h1>Something went wrong</h1>\
                            <p>This page can't be shown. Please try again later.";
                let response = HttpResponse::InternalServerError().content_type("text/html; charset=utf-8").body(text);
                with_headers(response, policy)
            }
        }
    }

    /// A page's text, as [`Pages::respond`] sends it.
    pub fn text(&self, template: &str, data: impl Serialize, policy: &Policy) -> Result<String, minijinja::Error> {
        let common = context! {
            request_id => request_id::current().unwrap_or_default(),
            time => jiff::Timestamp::from_second(clock::now()).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            script_nonce => policy.script_nonce.as_deref().unwrap_or_default(),
        };
        render(&self.environment, template, context! { ..Value::from(minijinja::value::Serde(data)), ..common })
    }
}

fn render(environment: &Environment<'static>, template: &str, data: Value) -> Result<String, minijinja::Error> {
    environment.get_template(template)?.render(data)
}

fn with_headers(mut response: HttpResponse, policy: &Policy) -> HttpResponse {
    let scripts = match &policy.script_nonce {
        Some(nonce) => format!("'nonce-{nonce}'"),
        None => "'none'".to_owned(),
    };
    let mut csp = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; script-src {scripts}; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    for target in &policy.form_action {
        csp.push(' ');
        csp.push_str(target);
    }
    let headers = response.headers_mut();
    match HeaderValue::from_str(&csp) {
        Ok(csp) => headers.insert(CONTENT_SECURITY_POLICY, csp),
        // A target that is no header text must not lift the policy.
        Err(_) => headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; frame-ancestors 'none'; form-action 'self'",
            ),
        ),
    };
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    response
}
