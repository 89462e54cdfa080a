//! `evergate prepare`: what `evergate run` makes for itself, written down for services that run one by one.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::configurations::{self, Configurations, Made};
use crate::{Addresses, Login, StackError, StackSettings, demo};

/// What is there afterwards.
pub struct Prepared {
    pub addresses: Addresses,
    /// The demo's accounts with their passwords, when this call made them.
    pub logins: Vec<Login>,
    pub ca: Option<PathBuf>,
    /// One configuration file for each service.
    pub files: Vec<PathBuf>,
}

/// Makes certificates, secrets, the domain file, the declaration and one configuration file for each service; then, in the
/// stores these name, the demo's accounts and documents. What is there stays, but for the configuration files, which are
/// written anew: the stack's settings are their source.
pub async fn prepare(settings: &StackSettings) -> Result<Prepared, StackError> {
    let (client, auth, api) = (settings.client.listen(5000), settings.auth.listen(5001), settings.api.listen(5002));
    let addresses = Addresses {
        client: settings.client.origin(client),
        auth: settings.auth.origin(auth),
        api: settings.api.origin(api),
    };
    let certificates = configurations::certificates(settings)?;
    let domain = demo::prepare_files(settings, &addresses)?;
    let scopes = configurations::scopes(&domain);
    let schemas = domain.settings.schema_endpoint.clone();
    let made = Configurations::of(settings, &addresses, certificates.as_ref(), false);
    let (auth, api) = (made.auth(auth), made.api(api));
    let client = made.client(client, &scopes, schemas.as_deref());
    // Faults are told before anything is written.
    let (auth_config, api_config) = (auth.read()?, api.read()?);
    client.read::<oauth_client::Config>()?;
    let mut files = Vec::new();
    for (name, made) in [("auth-server.toml", auth), ("resource-api.toml", api), ("oauth-client.toml", client)] {
        let file = settings.data.join(name);
        write(&file, &made).map_err(|source| StackError::File { path: file.display().to_string(), source })?;
        files.push(file);
    }
    let logins = demo::create_accounts(&auth_config).await?;
    demo::load_documents(settings, &api_config, domain).await?;
    Ok(Prepared { addresses, logins, ca: certificates.map(|certificates| certificates.ca), files })
}

/// The owner's alone: an address of a store may hold a password.
fn write(path: &Path, made: &Made) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "# Made anew by each `evergate prepare`, from evergate.toml and EVERGATE__ variables.\n\n{}", made.0)
}
