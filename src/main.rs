//! `evergate`: the whole stack, and every command of its services.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod migrate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use evergate::{Addresses, Login, Stack, StackError, StackSettings, development_ca};
use shared::drain::StopSignal;
use shared::http_client::{HttpClient, HttpClientConfig};

/// Your data behind a REST API with real sign-in: auth-server, resource-api and oauth-client.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Command {
    /// Starts all three services on embedded stores, with a demo to try (the default)
    Run(Run),
    /// Makes what the services need to run one by one: certificates, secrets, a configuration file each, the demo's accounts
    /// and data
    Prepare(Run),
    /// Asks a service whether it is ready; the exit code tells (for health checks of containers)
    Health(Health),
    /// Makes new passwords for the demo's accounts and ends their sessions
    ResetDemo(Run),
    /// Makes the development CA and certificates, or renews them
    Certs(Run),
    /// Moves all that the services keep from one store into another, and compares both: from files to MongoDB, and back. The
    /// services must be stopped; interrupted, it goes on where it was
    Migrate(migrate::Migrate),
    /// The auth-server's commands
    Auth(auth_server::Arguments),
    /// The resource-api's commands
    #[command(subcommand)]
    Api(resource_api::Command),
    /// The oauth-client's commands
    #[command(subcommand)]
    Client(oauth_client::Command),
}

#[derive(Args, Default)]
struct Run {
    /// Settings of the stack [default: evergate.toml, where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints one line of JSON once everything runs, for scripts
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Health {
    /// The service's address, such as https://127.0.0.1:5001
    url: String,
    /// PEM file of a certificate authority to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 3.0)]
    timeout: f64,
}

#[actix_rt::main]
async fn main() -> ExitCode {
    shared::core_dumps::switch_off();
    let arguments = Arguments::parse();
    let done = match arguments.command.unwrap_or(Command::Run(arguments.run)) {
        Command::Auth(arguments) => match read_settings(None) {
            Ok(settings) => return auth_server::run(arguments, Some(evergate::auth_settings(&settings))).await,
            Err(error) => Err(error),
        },
        Command::Api(command) => return resource_api::run(command).await,
        Command::Client(command) => return oauth_client::run(command).await,
        Command::Migrate(given) => return migrate(&given).await,
        Command::Run(given) => run(&given).await,
        Command::Prepare(given) => prepare(&given).await,
        Command::Health(asked) => return health(asked).await,
        Command::ResetDemo(given) => reset(&given).await,
        Command::Certs(given) => certs(&given),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evergate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn settings(given: &Run) -> Result<StackSettings, StackError> {
    let settings = read_settings(given.config.as_deref())?;
    shared::logging::start(&settings.log);
    Ok(settings)
}

fn read_settings(file: Option<&Path>) -> Result<StackSettings, StackError> {
    let usual = Path::new("evergate.toml");
    let file = file.or_else(|| usual.exists().then_some(usual));
    Ok(shared::config::load(file, "EVERGATE")?)
}

async fn run(given: &Run) -> Result<(), StackError> {
    let settings = settings(given)?;
    let stop = StopSignal::listen().map_err(StackError::Signals)?;
    let stack = Stack::start(&settings).await?;
    let ready = Ready {
        headline: "Evergate is running.",
        addresses: &stack.addresses,
        logins: &stack.logins,
        ca: stack.ca.as_deref(),
    };
    if given.json {
        println!("{}", ready.json());
    } else {
        print!("{}\nStop with Ctrl-C.\n", ready.greeting(&settings));
    }
    stop.received().await;
    stack.stop().await;
    Ok(())
}

async fn prepare(given: &Run) -> Result<(), StackError> {
    let settings = settings(given)?;
    let made = evergate::prepare(&settings).await?;
    let ready = Ready {
        headline: "Everything is prepared. Once the services run:",
        addresses: &made.addresses,
        logins: &made.logins,
        ca: made.ca.as_deref(),
    };
    if given.json {
        println!("{}", ready.json());
        return Ok(());
    }
    println!("Configuration files:");
    for file in &made.files {
        println!("  {}", file.display());
    }
    print!("{}", ready.greeting(&settings));
    Ok(())
}

async fn health(asked: Health) -> ExitCode {
    let Health { url, ca, timeout } = asked;
    let config = HttpClientConfig { ca, connect_timeout: timeout, timeout };
    let answer = async {
        let client = HttpClient::new(&config).map_err(|error| error.to_string())?;
        let answer = client.get(format!("{}/readyz", url.trim_end_matches('/'))).send().await;
        answer.map(|answer| answer.status()).map_err(|error| format!("no answer: {}", root_cause(&error)))
    };
    match answer.await {
        Ok(status) if status.is_success() => {
            println!("{url}: ready");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            eprintln!("{url}: not ready ({status})");
            ExitCode::FAILURE
        }
        Err(reason) => {
            eprintln!("{url}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// What a person or a script needs to begin.
struct Ready<'a> {
    headline: &'static str,
    addresses: &'a Addresses,
    logins: &'a [Login],
    ca: Option<&'a Path>,
}

impl Ready<'_> {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "client": self.addresses.client, "auth": self.addresses.auth, "api": self.addresses.api,
            "ca": self.ca, "logins": self.logins,
        })
    }

    fn greeting(&self, settings: &StackSettings) -> String {
        let addresses = self.addresses;
        let mut text = format!(
            "\n{headline}\n\n  \
             App      {client}\n  Console  {auth}/oauth/management\n  API      {api}\n",
            headline = self.headline,
            client = addresses.client,
            auth = addresses.auth,
            api = addresses.api,
        );
        if let Some(ca) = self.ca {
            text += &format!(
                "\nThe certificates come from a development CA made on this machine: {ca}\n  \
                 Trust it on Debian:  sudo cp {ca} /usr/local/share/ca-certificates/evergate.crt && sudo update-ca-certificates\n  \
                 In a browser:        import it under “Authorities”, or accept the warning of all three addresses once\n",
                ca = ca.display()
            );
        }
        text += &logins(settings, self.logins);
        let password = match self.logins.iter().find(|login| login.username == "demo") {
            Some(login) => login.password.clone(),
            None => "<the demo's password>".to_owned(),
        };
        let trust = self.ca.map_or_else(String::new, |ca| format!(" --cacert {}", ca.display()));
        text += &format!(
            "\nTry it with curl:\n  TOKEN=$(curl -s{trust} {auth}/oauth/token -d grant_type=password -d client_id={id} \
             -d username=demo -d 'password={password}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n  \
             curl -sG{trust} {api}/cities -H \"Authorization: Bearer $TOKEN\" --data-urlencode 'where={{\"country\":\"AT\"}}' \
             -d sort=-population -d max_results=5\n",
            auth = addresses.auth,
            api = addresses.api,
            id = evergate::CURL_CLIENT,
        );
        text
    }
}

fn logins(settings: &StackSettings, logins: &[Login]) -> String {
    if logins.is_empty() {
        return format!(
            "\nData and accounts are those of earlier starts ({data}); their passwords were shown when they were made.\n  \
             New passwords:  evergate reset-demo      All new: stop, and delete {data}\n",
            data = settings.data.display()
        );
    }
    let mut text = "\nAccounts, shown this once:\n".to_owned();
    for Login { username, password, what } in logins {
        text += &format!("  {username:6} {password}   {what}\n");
    }
    text
}

async fn reset(given: &Run) -> Result<(), StackError> {
    let settings = settings(given)?;
    let new = evergate::reset_demo(&settings).await?;
    if given.json {
        println!("{}", serde_json::json!({ "logins": new }));
    } else {
        print!("{}", logins(&settings, &new));
    }
    Ok(())
}

async fn migrate(given: &migrate::Migrate) -> ExitCode {
    let settings = match read_settings(None) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    shared::logging::start("warn");
    match migrate::migrate(given, &settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn certs(given: &Run) -> Result<(), StackError> {
    let settings = settings(given)?;
    let names: Vec<&str> =
        [&settings.client, &settings.auth, &settings.api].into_iter().filter_map(|part| part.host.as_deref()).collect();
    let made = development_ca::ensure(&settings.certs, &names)?;
    println!("CA           {}", made.ca.display());
    println!("certificate  {}", made.certificate.display());
    println!("key          {}", made.key.display());
    Ok(())
}
