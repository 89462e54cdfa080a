//! All documents of a resource as lines, read in pieces: the whole never lies in memory.

use std::io::{self, Write};

use bson::Bson;
use shared::store::StoreError;

use super::{Progress, extended_json};
use crate::app::App;
use crate::query::{Filter, Find};

/// Documents read at a time.
const PIECE: usize = 1000;

/// How an export went.
#[derive(Debug, Default)]
pub struct Export {
    pub documents: u64,
    /// Ids of documents whose line reads back as another document: something in them looks like a value of Extended JSON.
    pub doubtful: Vec<Bson>,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there is no resource {0}")]
    Resource(String),
    #[error("{0}")]
    Write(#[from] io::Error),
    #[error("documents: {0}")]
    Store(#[from] StoreError),
    #[error("a stored document is malformed: {0}")]
    Malformed(#[from] bson::error::Error),
}

/// Writes the documents of a resource that satisfy `filter`, by their ids. What is stored meanwhile may or may not be among them.
pub async fn export(
    app: &App,
    resource: &str,
    filter: &Filter,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<Export, ExportError> {
    let resource = app.domain.resource(resource).ok_or_else(|| ExportError::Resource(resource.to_owned()))?;
    let source = &resource.datasource.source;
    let filter = resource.datasource.filter.for_operator().and(filter.clone());
    let count = Find { limit: Some(0), count: true, ..Find::default() };
    progress.begin(app.documents.find(source, &count).await?.total.unwrap_or_default());
    let mut export = Export::default();
    let (mut after, mut seen, mut line) = (None, 0, Vec::new());
    loop {
        let piece = app.documents.scan(source, after.as_ref(), PIECE).await?;
        let Some(last) = piece.last() else { break };
        after = last.get("_id")?.map(Bson::try_from).transpose()?;
        seen += piece.len() as u64;
        for document in piece.iter().filter(|document| filter.matches_raw(document)) {
            line.clear();
            if !extended_json::write(document, &mut line)? {
                export.doubtful.extend(document.get("_id")?.map(Bson::try_from).transpose()?);
            }
            line.push(b'\n');
            out.write_all(&line)?;
            export.documents += 1;
        }
        progress.advance(seen, export.documents);
    }
    out.flush()?;
    Ok(export)
}
