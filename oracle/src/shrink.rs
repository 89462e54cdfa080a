//! The shortest history that shows a difference.

use serde_json::Value;

use crate::contest::{Contest, Differed};
use crate::server::ServerError;
use crate::step::{Body, Step};

/// Leaves out requests, then parts of the last ones, as long as the difference stays the same.
pub async fn shrink(
    contest: &mut Contest<'_>,
    mut steps: Vec<Step>,
    mut differed: Differed,
) -> Result<(Vec<Step>, Differed), ServerError> {
    steps.truncate(differed.at + 1);
    let signature = differed.signature();
    let mut size = (steps.len() - 1).div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start + 1 < steps.len() {
            let end = (start + size).min(steps.len() - 1);
            let mut fewer = steps.clone();
            fewer.drain(start..end);
            match again(contest, &fewer, &signature).await? {
                Some(found) => (steps, differed) = (fewer, found),
                None => start = end,
            }
        }
        size /= 2;
    }
    for index in (0..steps.len()).rev() {
        loop {
            let mut smaller = None;
            for candidate in simpler(&steps[index]) {
                let mut tried = steps.clone();
                tried[index] = candidate;
                if let Some(found) = again(contest, &tried, &signature).await? {
                    smaller = Some((tried, found));
                    break;
                }
            }
            match smaller {
                Some(found) => (steps, differed) = found,
                None => break,
            }
        }
    }
    Ok((steps, differed))
}

async fn again(contest: &mut Contest<'_>, steps: &[Step], signature: &str) -> Result<Option<Differed>, ServerError> {
    let played = contest.play(steps).await?;
    Ok(played.difference.filter(|found| found.at + 1 == steps.len() && found.signature() == signature))
}

/// The step with one part left out.
fn simpler(step: &Step) -> Vec<Step> {
    let mut found = Vec::new();
    for index in 0..step.query.len() {
        let mut smaller = step.clone();
        smaller.query.remove(index);
        // It may have been the sort.
        smaller.unordered |= !step.has_body();
        found.push(smaller);
    }
    for index in 0..step.headers.len() {
        let mut smaller = step.clone();
        smaller.headers.remove(index);
        found.push(smaller);
    }
    match &step.body {
        Body::Json(value) => {
            found.extend(
                smaller_values(value).into_iter().map(|value| Step { body: Body::Json(value), ..step.clone() }),
            );
        }
        Body::Form(pairs) => {
            for index in 0..pairs.len() {
                let mut fewer = pairs.clone();
                fewer.remove(index);
                found.push(Step { body: Body::Form(fewer), ..step.clone() });
            }
        }
        Body::None | Body::Text(_) => {}
    }
    found
}

fn smaller_values(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for name in members.keys() {
                let mut fewer = members.clone();
                fewer.shift_remove(name);
                found.push(Value::Object(fewer));
            }
            for (name, inner) in members {
                for smaller in smaller_values(inner) {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), smaller);
                    found.push(Value::Object(changed));
                }
            }
        }
        Value::Array(items) => {
            if let [only] = items.as_slice() {
                found.push(only.clone());
            }
            for index in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(index);
                found.push(Value::Array(fewer));
            }
            for (index, inner) in items.iter().enumerate() {
                for smaller in smaller_values(inner) {
                    let mut changed = items.clone();
                    changed[index] = smaller;
                    found.push(Value::Array(changed));
                }
            }
        }
        _ => {}
    }
    found
}
