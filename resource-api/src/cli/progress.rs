//! A bar on a terminal; nothing where nobody looks.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::transfer::Progress;

/// Drawn on standard error, so that what is written to standard output stays clean.
pub struct Bar {
    bar: ProgressBar,
    template: &'static str,
}

impl Bar {
    /// `{msg}` is the number of documents.
    pub fn of_bytes() -> Self {
        Self::new("{bar:40} {bytes}/{total_bytes}  {msg} documents  {elapsed_precise}, {eta_precise} left")
    }

    pub fn of_documents() -> Self {
        Self::new("{bar:40} {human_pos}/{human_len} documents  {elapsed_precise}, {eta_precise} left")
    }

    pub fn of_pages() -> Self {
        Self::new("{bar:40} {percent}%  {elapsed_precise}")
    }

    fn new(template: &'static str) -> Self {
        Self { bar: ProgressBar::hidden(), template }.shown()
    }

    fn shown(mut self) -> Self {
        if io::stderr().is_terminal() {
            self.bar = ProgressBar::no_length();
        }
        self
    }

    /// Takes the bar away, so that the last words stand alone.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&self, all: u64) {
        // Of standard input nobody knows the length.
        if all > 0 {
            self.bar.set_length(all);
            if let Ok(style) = ProgressStyle::with_template(self.template) {
                self.bar.set_style(style);
            }
        }
    }

    fn advance(&self, done: u64, documents: u64) {
        self.bar.set_message(documents.to_string());
        self.bar.set_position(done);
    }
}
