//! Inputs worth keeping: `corpus/NAME.txt`, each under a line that begins with `--- valid` or `--- odd`.

use std::path::Path;

use crate::Case;
use crate::random::Random;

pub struct Corpus {
    pub cases: Vec<Case>,
}

impl Corpus {
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name).with_extension("txt");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut cases: Vec<Case> = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"--- ") {
                cases.push(Case { text: Vec::new(), valid: line.starts_with(b"--- valid") });
            } else {
                cases.last_mut().expect("a case begins with ---").text.extend_from_slice(line);
            }
        }
        for case in &mut cases {
            case.text.pop_if(|last| *last == b'\n');
        }
        assert!(cases.len() >= 8, "{} has hardly any cases", path.display());
        Self { cases }
    }

    pub fn any(&self, random: &mut Random) -> Vec<u8> {
        self.cases[random.below(self.cases.len())].text.clone()
    }
}
