//! `serve`.

use std::process::ExitCode;

use shared::drain::StopSignal;
use shared::{logging, serve};

use super::{ConfigFile, Done};
use crate::start;

pub async fn run(file: ConfigFile) -> Done {
    let config = file.load()?;
    logging::start(&config.log);
    let listener = serve::bind(&config.server)?;
    let stop = StopSignal::listen()?;
    let server = start(config, listener).await?;
    stop.received().await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}
