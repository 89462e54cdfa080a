//! A question before something is done: what will happen, and a button for it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use super::Admin;
use crate::app::App;

/// A question.
#[derive(Serialize)]
pub struct Question {
    pub title: String,
    /// What will happen, a sentence each.
    pub consequences: Vec<String>,
    pub button: String,
    /// It can't be taken back.
    pub danger: bool,
    /// Where the answer is posted to, below /management.
    pub action: String,
    /// Where "Cancel" leads, below /management.
    pub cancel: String,
    /// What the answer carries beside.
    pub hidden: Vec<(&'static str, String)>,
    pub choice: Option<Choice>,
}

/// One value to choose with the answer.
#[derive(Serialize)]
pub struct Choice {
    pub name: &'static str,
    pub label: &'static str,
    /// Value and words of each; the first one is chosen unless another is.
    pub options: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Asked {
    question: Question,
    /// The password was given too long ago.
    needs_password: bool,
    error: String,
}

impl Admin {
    pub fn ask_whether(&self, app: &App, section: &'static str, question: Question) -> HttpResponse {
        let asked = Asked { question, needs_password: !self.is_fresh(), error: String::new() };
        self.page(app, StatusCode::OK, section, "management_confirm.html", asked)
    }

    /// The same, when it could not be done: why, in a sentence.
    pub fn refuse(
        &self,
        app: &App,
        section: &'static str,
        status: StatusCode,
        question: Question,
        error: &str,
    ) -> HttpResponse {
        let asked = Asked { question, needs_password: !self.is_fresh(), error: error.to_owned() };
        self.page(app, status, section, "management_confirm.html", asked)
    }
}
