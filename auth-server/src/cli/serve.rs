//! `serve` and `check`.

use shared::drain::StopSignal;
use shared::metrics::Metrics;
use shared::{logging, serve as server};

use super::Context;
use super::output::{Failure, line};
use crate::passwords::Passwords;
use crate::{OpenError, app, declare, prepare, setup};

pub async fn serve(context: &Context) -> Result<(), Failure> {
    let config = context.server_config()?;
    logging::start(&config.log);
    let listener = server::bind(&config.server)?;
    let stop = StopSignal::listen()?;
    let app = prepare(config).await?;
    // On the terminal alone: a log is kept, and read by others.
    if let Some(link) = setup::new_link(&app).await? {
        // Whoever read the output may have gone: the server stays for everybody else.
        if line(setup::announcement(&link)).is_err() {
            log::warn!(
                "the link for the first admin could not be printed; `user create NAME --role admin` makes one, too"
            );
        }
    }
    let server = crate::serve(app, listener)?;
    stop.received().await;
    server.stop().await;
    Ok(())
}

pub fn check(context: &Context) -> Result<(), Failure> {
    let config = context.server_config()?;
    app::pages(&config)?;
    Passwords::open(&config.passwords, config.issuer.host(), &Metrics::default()).map_err(OpenError::from)?;
    if let Some(declaration) = &config.declare {
        declare::read(declaration)?;
    }
    line(format!("the configuration is good: {} on {}", config.issuer.as_str(), config.server.listen))
}
