//! The lines of a file, gzipped or not, and how far they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Bytes of a line; no document is as long.
const LONGEST: usize = 64 << 20;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From one on.
    pub number: u64,
    /// Without its end; `None`: longer than any document.
    pub text: Option<Vec<u8>>,
}

pub struct Lines {
    input: Box<dyn BufRead + Send>,
    /// Bytes of the file as it lies on the disk.
    read: Arc<AtomicU64>,
    number: u64,
}

impl Lines {
    /// What is gzipped is known by its first bytes.
    pub fn open(file: &Path) -> io::Result<Self> {
        Self::new(File::open(file)?)
    }

    pub fn standard_input() -> io::Result<Self> {
        Self::new(io::stdin())
    }

    fn new(input: impl Read + Send + 'static) -> io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut input = BufReader::with_capacity(256 << 10, Counted { input, read: Arc::clone(&read) });
        let zipped = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let mut input: Box<dyn BufRead + Send> = if zipped {
            Box::new(BufReader::with_capacity(256 << 10, MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        if input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            input.consume(3);
        }
        Ok(Self { input, read, number: 0 })
    }

    /// Bytes of the file that are read so far.
    pub fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The next line; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        let (mut any, mut long) = (false, false);
        loop {
            let part = self.input.fill_buf()?;
            if part.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', part);
            let taken = &part[..end.unwrap_or(part.len())];
            long |= text.len() + taken.len() > LONGEST;
            if !long {
                text.extend_from_slice(taken);
            }
            let consumed = end.map_or(part.len(), |end| end + 1);
            self.input.consume(consumed);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, text: (!long).then_some(text) }))
    }
}

struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(io::Cursor::new(bytes.to_vec())).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.number, String::from_utf8(line.text.unwrap()).unwrap()));
        }
        assert_eq!(lines.position(), bytes.len() as u64);
        all
    }

    #[test]
    fn plain_and_gzipped_files_have_the_same_lines() {
        let text = "\u{feff}{\"a\":1}\n\n{\"b\":\"ü\"}\r\nlast";
        let expected = [(1, "{\"a\":1}"), (2, ""), (3, "{\"b\":\"ü\"}\r"), (4, "last")];
        let expected: Vec<_> = expected.map(|(number, text)| (number, text.to_owned())).into();
        assert_eq!(all(text.as_bytes()), expected);
        // As `cat a.gz b.gz` makes them.
        let mut zipped = Vec::new();
        for part in [&text.as_bytes()[..20], &text.as_bytes()[20..]] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            zipped.extend(encoder.finish().unwrap());
        }
        assert_eq!(all(&zipped), expected);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_longer_than_any_document_is_passed_over() {
        let mut text = vec![b'x'; LONGEST + 1];
        text.extend_from_slice(b"\nshort");
        let mut lines = Lines::new(io::Cursor::new(text)).unwrap();
        assert_eq!(lines.next().unwrap(), Some(Line { number: 1, text: None }));
        assert_eq!(lines.next().unwrap(), Some(Line { number: 2, text: Some(b"short".to_vec()) }));
    }

    #[test]
    fn a_broken_gzip_file_is_an_error() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[b'a'; 1000]).unwrap();
        let zipped = encoder.finish().unwrap();
        let mut lines = Lines::new(io::Cursor::new(zipped[..zipped.len() - 6].to_vec())).unwrap();
        assert!(lines.next().is_err());
    }
}
