//! The style sheet against WCAG 2.2 AA (G-012): contrast is computed from its colours, in light and in dark.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../templates/style.css");

/// Text on what lies behind it: at least 4.5 (1.4.3).
const TEXT: &[(&str, &[&str])] = &[
    ("ink", &["ground", "surface", "sunken", "accent-soft", "good-soft", "warn-soft", "bad-soft", "info-soft"]),
    ("ink-soft", &["ground", "surface", "sunken"]),
    ("accent", &["ground", "surface", "sunken", "good-soft", "warn-soft", "bad-soft", "info-soft"]),
    ("accent-strong", &["ground", "surface", "sunken", "accent-soft", "warn-soft", "bad-soft", "info-soft"]),
    ("on-accent", &["accent", "accent-strong"]),
    ("good", &["good-soft"]),
    ("warn", &["warn-soft"]),
    ("bad", &["surface", "bad-soft"]),
    ("on-bad", &["bad"]),
];

/// Edges of fields and buttons, and the outline of what has the focus, on what lies behind them: at least 3 (1.4.11, 2.4.13).
const PARTS: &[(&str, &[&str])] = &[
    ("edge", &["ground", "surface", "sunken"]),
    ("accent", &["ground", "surface", "sunken", "accent-soft", "good-soft", "warn-soft", "bad-soft", "info-soft"]),
    ("bad", &["ground", "surface"]),
];

type Colours = BTreeMap<String, [f64; 3]>;

/// The hexadecimal custom properties of the first `:root` in `part`.
fn colours(part: &str) -> Colours {
    let block = part.split_once(":root {").unwrap().1.split_once('}').unwrap().0;
    let declarations = block.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": "));
    declarations
        .filter_map(|(name, value)| {
            let hex = value.trim_end_matches(';').strip_prefix('#')?;
            let channel = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            Some((name.to_owned(), [channel(0), channel(2), channel(4)]))
        })
        .collect()
}

/// WCAG's relative luminance.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |channel: f64| {
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn too_weak(pairs: &[(&str, &[&str])], colours: &Colours, least: f64) -> Vec<String> {
    let all = pairs.iter().flat_map(|(front, backs)| backs.iter().map(move |back| (front, back)));
    all.filter_map(|(front, back)| {
        let ratio = contrast(colours[*front], colours[*back]);
        (ratio < least).then(|| format!("{front} on {back}: {ratio:.2}"))
    })
    .collect()
}

#[test]
fn contrast_is_computed_as_wcag_defines_it() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    assert!((contrast([1.0; 3], [119.0 / 255.0; 3]) - 4.48).abs() < 0.01, "#777 on white");
}

/// G-012: text and controls can be made out, in light and in dark.
#[test]
fn every_text_and_control_has_the_contrast_of_wcag_aa() {
    let light = colours(STYLE);
    let dark = colours(STYLE.split_once("(prefers-color-scheme: dark)").unwrap().1);
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>(), "both have every colour");
    for (scheme, colours) in [("light", &light), ("dark", &dark)] {
        assert_eq!(too_weak(TEXT, colours, 4.5), Vec::<String>::new(), "{scheme}");
        assert_eq!(too_weak(PARTS, colours, 3.0), Vec::<String>::new(), "{scheme}");
    }
}

/// G-012: no rule brings a colour of its own, and every colour of text is among those that are computed.
#[test]
fn rules_use_the_palette_and_nothing_else() {
    let rules = STYLE.rsplit_once("/* Frame */").unwrap().1;
    assert!(!rules.contains('#') && !rules.contains("rgb("), "a colour outside the palette");
    let checked: Vec<&str> = TEXT.iter().map(|(front, _)| *front).collect();
    let used = rules.lines().filter_map(|line| line.trim().strip_prefix("color: var(--"));
    for name in used.map(|rest| rest.split(')').next().unwrap()) {
        assert!(checked.contains(&name), "the contrast of {name} as a text colour is not computed");
    }
}

/// G-012: what has the focus shows it, and nothing moves, blinks or has a size in pixels that zoom would not reach.
#[test]
fn focus_is_seen_and_sizes_follow_the_readers_own() {
    assert!(STYLE.contains(":focus-visible {\n  outline: 3px solid var(--accent);"));
    assert!(!STYLE.contains("animation") && !STYLE.contains("transition"));
    let sizes = STYLE.lines().filter(|line| line.contains("font-size:") || line.contains("max-width:"));
    for line in sizes {
        assert!(!line.contains("px"), "{line}");
    }
    assert!(!STYLE.contains("user-scalable"));
}
