//! Plots as inline SVG: bars with intervals, histograms, lines. No script, no font, no link; text stays text.

use std::fmt::Write;

use super::escape;
use super::html::tongues;

const WIDTH: f64 = 640.0;
const LEFT: f64 = 285.0;
const COLOURS: [&str; 6] = ["#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568"];

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// 95 % interval.
    pub(super) interval: Option<(f64, f64)>,
}

/// Points of one line, or values of one histogram.
pub(super) struct Series<T> {
    pub(super) label: String,
    pub(super) values: Vec<T>,
}

/// Horizontal bars from 0 to 1.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let height = 24.0 * bars.len() as f64 + 46.0;
    let x = |v: f64| LEFT + v.clamp(0.0, 1.0) * (WIDTH - LEFT - 60.0);
    let mut out = open(title, height);
    for tick in 0..=4 {
        let v = f64::from(tick) / 4.0;
        line(&mut out, x(v), 24.0, x(v), height - 20.0, "#ddd", 1.0);
        text(&mut out, x(v), height - 6.0, "middle", &format!("{v}"));
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = 30.0 + 24.0 * i as f64;
        text(&mut out, LEFT - 8.0, y + 12.0, "end", &bar.label);
        let _ = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"16\" fill=\"{}\"/>",
            x(0.0),
            x(bar.value) - x(0.0),
            COLOURS[0]
        );
        if let Some((low, high)) = bar.interval {
            line(&mut out, x(low), y + 8.0, x(high), y + 8.0, "#111", 2.0);
        }
        text(
            &mut out,
            x(bar.interval.map_or(bar.value, |i| i.1.max(bar.value))) + 6.0,
            y + 12.0,
            "start",
            &format!("{:.3}", bar.value),
        );
    }
    out + "</svg>"
}

/// Shares of values in ten bins from 0 to 1, one colour a series.
pub(super) fn histogram(title: &str, axis: &str, series: &[Series<f64>]) -> String {
    const BINS: usize = 10;
    let height = 256.0;
    let mut out = open(title, height);
    let (left, bottom, top) = (44.0, height - 62.0, 40.0);
    text(&mut out, 4.0, 32.0, "start", "질문의 비율 · share of the questions");
    let width = (WIDTH - left - 10.0) / BINS as f64;
    let shares: Vec<Vec<f64>> = series
        .iter()
        .map(|s| {
            let mut bins = [0.0; BINS];
            s.values.iter().for_each(|v| bins[((v * BINS as f64) as usize).min(BINS - 1)] += 1.0);
            bins.iter().map(|b: &f64| b / s.values.len().max(1) as f64).collect()
        })
        .collect();
    let most = shares.iter().flatten().copied().fold(0.01, f64::max);
    let y = |share: f64| bottom - share / most * (bottom - top);
    for tick in [0.0, most / 2.0, most] {
        line(&mut out, left, y(tick), WIDTH - 10.0, y(tick), "#ddd", 1.0);
        text(&mut out, left - 4.0, y(tick) + 4.0, "end", &format!("{:.0} %", tick * 100.0));
    }
    for (s, bins) in shares.iter().enumerate() {
        let each = (width - 6.0) / series.len().max(1) as f64;
        for (i, share) in bins.iter().enumerate() {
            let at = left + width * i as f64 + 3.0 + each * s as f64;
            let _ = write!(
                out,
                "<rect x=\"{at:.1}\" y=\"{:.1}\" width=\"{each:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                y(*share),
                bottom - y(*share),
                COLOURS[s % COLOURS.len()]
            );
        }
    }
    for i in (0..=BINS).step_by(2) {
        text(&mut out, left + width * i as f64, bottom + 14.0, "middle", &format!("{:.1}", i as f64 / BINS as f64));
    }
    text(&mut out, WIDTH / 2.0, bottom + 30.0, "middle", axis);
    let names: Vec<String> = series.iter().map(|s| format!("{} (n = {})", s.label, s.values.len())).collect();
    legend(&mut out, &names, height - 10.0);
    out + "</svg>"
}

/// Lines over a horizontal axis of given marks; vertical from 0 to 1.
pub(super) fn lines(title: &str, axis: &str, marks: &[String], series: &[Series<f64>]) -> String {
    let height = 260.0;
    let mut out = open(title, height);
    let (left, bottom, top) = (44.0, height - 62.0, 30.0);
    let x = |i: usize| left + (WIDTH - left - 30.0) * i as f64 / (marks.len().max(2) - 1) as f64;
    let y = |v: f64| bottom - v.clamp(0.0, 1.0) * (bottom - top);
    for tick in 0..=4 {
        let v = f64::from(tick) / 4.0;
        line(&mut out, left, y(v), WIDTH - 30.0, y(v), "#ddd", 1.0);
        text(&mut out, left - 4.0, y(v) + 4.0, "end", &format!("{v}"));
    }
    let every = marks.len().div_ceil(11).max(1);
    for (i, mark) in marks.iter().enumerate().step_by(every) {
        text(&mut out, x(i), bottom + 14.0, "middle", mark);
    }
    text(&mut out, WIDTH / 2.0, bottom + 30.0, "middle", axis);
    for (s, one) in series.iter().enumerate() {
        let points: Vec<String> =
            one.values.iter().enumerate().map(|(i, v)| format!("{:.1},{:.1}", x(i), y(*v))).collect();
        let _ = write!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            points.join(" "),
            COLOURS[s % COLOURS.len()]
        );
    }
    let names: Vec<String> = series.iter().map(|s| s.label.clone()).collect();
    legend(&mut out, &names, height - 10.0);
    out + "</svg>"
}

/// A curve a series: milliseconds (logarithmic) across, 0 to 1 upwards. `values` are pairs, one for each of `ways`.
pub(super) fn cost(title: &str, axis: &str, ways: &[String], series: &[Series<(f64, f64)>]) -> String {
    let height = 300.0;
    let mut out = open(title, height);
    let (left, bottom, top) = (44.0, height - 82.0, 30.0);
    let all = series.iter().flat_map(|s| &s.values).map(|(ms, _)| ms.max(1e-3).log10());
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = if low > high { (0.0, 1.0) } else { (low.floor(), high.ceil().max(low.floor() + 1.0)) };
    let x = |ms: f64| left + (WIDTH - left - 30.0) * (ms.max(1e-3).log10() - low) / (high - low);
    let y = |v: f64| bottom - v.clamp(0.0, 1.0) * (bottom - top);
    for tick in 0..=4 {
        let v = f64::from(tick) / 4.0;
        line(&mut out, left, y(v), WIDTH - 30.0, y(v), "#ddd", 1.0);
        text(&mut out, left - 4.0, y(v) + 4.0, "end", &format!("{v}"));
    }
    for decade in low as i32..=high as i32 {
        let ms = 10f64.powi(decade);
        line(&mut out, x(ms), top, x(ms), bottom, "#ddd", 1.0);
        text(&mut out, x(ms), bottom + 14.0, "middle", &format!("{ms}"));
    }
    text(&mut out, WIDTH / 2.0, bottom + 30.0, "middle", axis);
    for (s, one) in series.iter().enumerate() {
        let colour = COLOURS[s % COLOURS.len()];
        let mut path: Vec<(f64, f64)> = one.values.iter().map(|(ms, value)| (x(*ms), y(*value))).collect();
        for (i, (cx, cy)) in path.iter().enumerate() {
            out.push_str(&mark(i, *cx, *cy, colour));
        }
        path.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points: Vec<String> = path.iter().map(|(cx, cy)| format!("{cx:.1},{cy:.1}")).collect();
        let _ = write!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>",
            points.join(" ")
        );
    }
    let names: Vec<String> = series.iter().map(|s| s.label.clone()).collect();
    legend(&mut out, &names, height - 28.0);
    let mut at = 44.0;
    for (i, way) in ways.iter().enumerate() {
        out.push_str(&mark(i, at + 5.0, height - 13.0, COLOURS[5]));
        text(&mut out, at + 16.0, height - 9.0, "start", way);
        at += 32.0 + width(way);
    }
    out + "</svg>"
}

/// What tells the ways of a curve apart: square, triangle, circle.
fn mark(way: usize, x: f64, y: f64, colour: &str) -> String {
    let shape = match way % 3 {
        0 => format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\"", x - 4.5, y - 4.5),
        1 => format!(
            "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"",
            x,
            y - 5.5,
            x - 5.5,
            y + 4.5,
            x + 5.5,
            y + 4.5
        ),
        _ => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\""),
    };
    format!("{shape} fill=\"{colour}\" fill-opacity=\"0.8\"/>")
}

fn open(title: &str, height: f64) -> String {
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escape(title));
    let _ = write!(out, "<text x=\"4\" y=\"16\" font-weight=\"600\">{}</text>", tongues(title, "tspan"));
    out
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", tongues(what, "tspan"));
}

fn line(out: &mut String, x1: f64, y1: f64, x2: f64, y2: f64, colour: &str, width: f64) {
    let _ = write!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

/// Lines of coloured names, the last on `y`; as many as fit beside each other.
fn legend(out: &mut String, labels: &[String], y: f64) {
    let mut x = 44.0;
    for (i, label) in labels.iter().enumerate() {
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{}\"/>",
            y - 9.0,
            COLOURS[i % COLOURS.len()]
        );
        text(out, x + 14.0, y, "start", label);
        x += 30.0 + width(label);
    }
}

/// Hangul is about twice as wide as Latin at the same size.
fn width(label: &str) -> f64 {
    label.chars().map(|c| if c.is_ascii() { 6.2 } else { 11.0 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_well_formed_and_escape_their_labels() {
        let bar = Bar { label: "a < b & \"c\"".into(), value: 0.5, interval: Some((0.4, 0.6)) };
        let series = |n: f64| Series { label: "s<".into(), values: vec![n, 0.2, 1.0] };
        let all = [
            bars("t", &[bar]),
            histogram("t", "x", &[series(0.0), series(1.0)]),
            lines("t", "x", &["1".into(), "2".into(), "3".into()], &[series(0.5)]),
            histogram("t", "x", &[]),
            lines("t", "x", &[], &[]),
            cost("t", "x", &["a".into()], &[Series { label: "s<".into(), values: vec![(0.0, 0.5), (2.0, 1.0)] }]),
        ];
        for svg in all {
            let mut reader = quick_xml::Reader::from_str(&svg);
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => break,
                    _ => continue,
                }
            }
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
