//! Hostile input: half of it valid by a grammar, half of it that and the corpus with faults put in. The parsers take it in this
//! process; the real program takes it over a real socket. Whatever it is: no panic, no 5xx but the time limit's 503, no request
//! over the time limit or 64 MiB.
//!
//! The same cases each time, by a fixed seed and number. `FUZZ_SECONDS=600` goes on for that long in each test, with a seed of the
//! clock that is printed; `FUZZ_SEED` repeats one. What fails is kept in the folder `fuzz` of the target folder: put it into
//! `corpus/`, under a line `--- odd: what it broke` (or `--- valid`, if it has to be accepted).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod corpus;
mod grammar;
mod parsers;
mod random;
mod service;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use corpus::Corpus;
use random::Random;

/// An input, and whether it has to be accepted.
#[derive(Debug, Clone)]
pub struct Case {
    pub text: Vec<u8>,
    pub valid: bool,
}

impl Case {
    /// As text where only text can be.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// What makes inputs of one kind.
pub struct Target {
    /// Of its corpus, too.
    pub name: &'static str,
    /// A valid input.
    pub generate: fn(&mut Random) -> String,
    /// Pieces that mean something here.
    pub words: &'static [&'static str],
}

/// Runs cases through `check`, which says what is wrong.
pub fn run(target: &Target, cases: u32, mut check: impl FnMut(&Case) -> Result<(), String>) {
    let seconds: Option<f64> = std::env::var("FUZZ_SECONDS").ok().map(|text| text.parse().expect("FUZZ_SECONDS"));
    let seed = match (std::env::var("FUZZ_SEED"), seconds) {
        (Ok(text), _) => text.parse().expect("FUZZ_SEED"),
        (_, Some(_)) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        _ => 1,
    };
    eprintln!("{}: FUZZ_SEED={seed}", target.name);
    let mut random = Random::new(seed);
    let corpus = Corpus::read(target.name);
    let begun = Instant::now();
    for case in &corpus.cases {
        judge(target, seed, case, &mut check);
    }
    let mut number = 0;
    while seconds.map_or(number < cases, |seconds| begun.elapsed() < Duration::from_secs_f64(seconds)) {
        let text = (target.generate)(&mut random);
        let case = if number % 2 == 0 {
            Case { text: text.into_bytes(), valid: true }
        } else {
            let seed = if random.chance(2) { text.into_bytes() } else { corpus.any(&mut random) };
            Case { text: random.broken(seed, target.words), valid: false }
        };
        judge(target, seed, &case, &mut check);
        number += 1;
    }
    eprintln!("{}: {number} cases and {} of the corpus", target.name, corpus.cases.len());
}

fn judge(target: &Target, seed: u64, case: &Case, check: &mut impl FnMut(&Case) -> Result<(), String>) {
    let begun = Instant::now();
    let judged = std::panic::catch_unwind(AssertUnwindSafe(|| check(case)));
    let fault = match judged {
        Ok(Ok(())) => return,
        Ok(Err(fault)) => fault,
        Err(_) => "a panic".to_owned(),
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}-{seed}-{}", target.name, case.text.len()));
    std::fs::write(&file, &case.text).unwrap();
    let shown: String = case.lossy().chars().take(2000).collect();
    panic!("{fault} after {:?}; FUZZ_SEED={seed}, kept in {}:\n{shown}", begun.elapsed(), file.display());
}
