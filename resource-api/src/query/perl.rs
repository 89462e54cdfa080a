//! MongoDB's patterns are PCRE's, ours run on an engine of linear time: what both read alike is let through, what only means the
//! same when written otherwise is written so, and the rest is refused, whichever store the documents are in.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, ClassUnicode, ClassUnicodeKind,
    Flag, FlagsItemKind, HexLiteralKind, LiteralKind, Span, Visitor,
};

/// Begins a pattern whose classes know more letters than those of ASCII (MongoDB's manual, "$regex", "Extended Regex Options").
const BEYOND_ASCII: &str = "(*UCP)";

/// General categories by names that PCRE does not know: it calls them by their one or two letters.
const CATEGORIES: [&str; 38] = [
    "letter",
    "casedletter",
    "uppercaseletter",
    "lowercaseletter",
    "titlecaseletter",
    "modifierletter",
    "otherletter",
    "mark",
    "nonspacingmark",
    "spacingmark",
    "enclosingmark",
    "number",
    "decimalnumber",
    "letternumber",
    "othernumber",
    "punctuation",
    "dashpunctuation",
    "openpunctuation",
    "closepunctuation",
    "connectorpunctuation",
    "initialpunctuation",
    "finalpunctuation",
    "otherpunctuation",
    "symbol",
    "mathsymbol",
    "currencysymbol",
    "modifiersymbol",
    "othersymbol",
    "separator",
    "spaceseparator",
    "lineseparator",
    "paragraphseparator",
    "other",
    "control",
    "format",
    "surrogate",
    "privateuse",
    "unassigned",
];

/// The pattern as our engine has to read it. `verbose`: white space in it says nothing; `lines`: `$` ends each line.
pub(super) fn translated(pattern: &str, verbose: bool, lines: bool) -> Result<String, String> {
    let (pattern, ascii) = match pattern.strip_prefix(BEYOND_ASCII) {
        Some(rest) => (rest, false),
        None => (pattern, true),
    };
    let parsed = ParserBuilder::new().ignore_whitespace(verbose).nest_limit(100).build().parse(pattern);
    let parsed = parsed.map_err(|error| error.kind().to_string())?;
    let reader = Reader { ascii, lines, other: Vec::new(), ends: Vec::new() };
    let mut other = ast::visit(&parsed, reader)?;
    other.sort_by_key(|(span, _)| span.start.offset);
    let (mut translated, mut done) = (String::with_capacity(pattern.len()), 0);
    for (span, text) in other {
        translated.push_str(&pattern[done..span.start.offset]);
        translated.push_str(text);
        done = span.end.offset;
    }
    translated.push_str(&pattern[done..]);
    Ok(translated)
}

struct Reader {
    ascii: bool,
    lines: bool,
    /// What to write in the place of parts of the pattern.
    other: Vec<(Span, &'static str)>,
    /// Where `$` stands.
    ends: Vec<Span>,
}

impl Visitor for Reader {
    type Output = Vec<(Span, &'static str)>;
    type Err = String;

    fn finish(mut self) -> Result<Self::Output, String> {
        if !self.lines {
            // PCRE: also before a line feed at the very end.
            self.other.extend(self.ends.iter().map(|span| (*span, r"(?:\n?\z)")));
        }
        Ok(self.other)
    }

    fn visit_pre(&mut self, part: &Ast) -> Result<(), String> {
        match part {
            Ast::Flags(flags) => self.flags(&flags.flags),
            Ast::Group(group) => group.flags().map_or(Ok(()), |flags| self.flags(flags)),
            Ast::Literal(literal) => known_literal(&literal.kind),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::ClassUnicode(class) => known_class(class),
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::EndLine => {
                    self.ends.push(assertion.span);
                    Ok(())
                }
                AssertionKind::WordBoundary if self.ascii => {
                    self.other.push((assertion.span, r"(?-u:\b)"));
                    Ok(())
                }
                AssertionKind::StartLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::WordBoundary
                | AssertionKind::NotWordBoundary => Ok(()),
                _ => Err("boundaries are \\b and \\B".to_owned()),
            },
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Literal(literal) => known_literal(&literal.kind),
            ClassSetItem::Range(range) => known_literal(&range.start.kind).and(known_literal(&range.end.kind)),
            ClassSetItem::Unicode(class) => known_class(class),
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            ClassSetItem::Bracketed(_) => Err("`[` within a class is written `\\[`".to_owned()),
            ClassSetItem::Empty(_) | ClassSetItem::Ascii(_) | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ClassSetBinaryOp) -> Result<(), String> {
        Err("classes can't be combined: `&&`, `--` and `~~` are written with backslashes".to_owned())
    }
}

impl Reader {
    fn flags(&mut self, flags: &ast::Flags) -> Result<(), String> {
        for item in &flags.items {
            match &item.kind {
                FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF) => {
                    return Err("unknown flag within the pattern: those known are i, m, s, x and U".to_owned());
                }
                // Which `$` it is for is more than this reader follows.
                FlagsItemKind::Flag(Flag::MultiLine) => self.lines = true,
                FlagsItemKind::Flag(_) | FlagsItemKind::Negation => {}
            }
        }
        Ok(())
    }

    fn perl(&mut self, class: &ClassPerl) {
        if self.ascii {
            self.other.push((
                class.span,
                match (&class.kind, class.negated) {
                    (ClassPerlKind::Digit, false) => "[0-9]",
                    (ClassPerlKind::Digit, true) => "[^0-9]",
                    (ClassPerlKind::Space, false) => r"[\t\n\x0B\f\r\x20]",
                    (ClassPerlKind::Space, true) => r"[^\t\n\x0B\f\r\x20]",
                    (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
                    (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
                },
            ));
        }
    }
}

fn known_literal(kind: &LiteralKind) -> Result<(), String> {
    match kind {
        LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong) => {
            Err("characters by number are written \\x{…}".to_owned())
        }
        _ => Ok(()),
    }
}

fn known_class(class: &ClassUnicode) -> Result<(), String> {
    let known = match &class.kind {
        ClassUnicodeKind::OneLetter(_) => true,
        ClassUnicodeKind::Named(name) => {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            !CATEGORIES.contains(&plain.to_ascii_lowercase().as_str())
        }
        ClassUnicodeKind::NamedValue { .. } => false,
    };
    if known { Ok(()) } else { Err("classes are \\p{L} and the like, or the name of a script".to_owned()) }
}
