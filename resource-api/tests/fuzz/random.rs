//! Numbers by a seed, and the faults they put into texts.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// One time of so many.
    pub fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub fn many<T>(&mut self, most: usize, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| each(self)).collect()
    }

    /// The text with one to six faults.
    pub fn broken(&mut self, mut text: Vec<u8>, words: &[&str]) -> Vec<u8> {
        for _ in 0..=self.below(6) {
            self.fault(&mut text, words);
        }
        text.truncate(48 << 10);
        text
    }

    fn fault(&mut self, text: &mut Vec<u8>, words: &[&str]) {
        let at = self.below(text.len() + 1);
        let end = at + self.below((text.len() - at).min(20) + 1);
        match self.below(12) {
            0 => drop(text.drain(at..end)),
            1 => text.truncate(at),
            2 => {
                let piece = text[at..end].to_vec();
                let times = if self.chance(10) { 2000 } else { 3 };
                text.splice(at..at, piece.repeat(self.below(times)));
            }
            3 => {
                // Deeper than anybody means it.
                let (open, close) = self.pick(&[
                    &("[", "]"),
                    &("{\"a\":", "}"),
                    &("(", ")"),
                    &("{\"$and\":[", "]}"),
                    &("{\"$not\":", "}"),
                ]);
                let times = if self.chance(4) { 3000 } else { 3 };
                let times = self.below(times);
                text.splice(end..end, close.repeat(times).into_bytes());
                text.splice(at..at, open.repeat(times).into_bytes());
            }
            4 => {
                let byte = self.next() as u8;
                text.insert(at, byte);
            }
            5 => {
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << (at % 8);
                }
            }
            6..=9 => {
                let word = self.pick(words);
                let replaced = if self.chance(2) { at..end } else { at..at };
                text.splice(replaced, word.bytes());
            }
            _ => {
                const ODD: [&str; 24] = [
                    "\0",
                    "\u{feff}",
                    "\u{202e}",
                    "\u{1F3D4}",
                    "\u{d7ff}",
                    "\\u0000",
                    "\\ud800",
                    "\\",
                    "\"",
                    "'",
                    "$",
                    ".",
                    "..",
                    "-0",
                    "1e999",
                    "-1e-999",
                    "NaN",
                    "9223372036854775808",
                    "-9223372036854775809",
                    "0x10",
                    "1_000",
                    "null",
                    "%00",
                    "\r\n",
                ];
                let word = self.pick(&ODD);
                text.splice(at..at, word.bytes());
            }
        }
    }
}
