//! `scope …`.

use clap::Subcommand;

use super::Context;
use super::output::{self, Failure, json, line};
use crate::audit::Author;
use crate::scope::Scope;

#[derive(Debug, Subcommand)]
pub enum ScopeCommand {
    /// List scopes with the texts people read
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a scope, or change its text and role
    Set {
        /// A scope token, such as people:read
        name: String,
        /// One plain sentence for the consent page
        text: String,
        /// Only people with this role get it; machines and the password grant never do
        #[arg(long)]
        role: Option<String>,
    },
    /// Take a scope out; tokens that carry it keep it until they are refreshed
    Delete {
        name: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

impl ScopeCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let app = context.open().await?;
        match self {
            Self::List { json: as_json } => {
                let registry = app.scopes.registry().await?;
                if as_json {
                    return json(&registry.iter().collect::<Vec<_>>());
                }
                let rows = registry.iter().map(|scope| {
                    [scope.name.clone(), scope.role.clone().unwrap_or_else(|| "-".to_owned()), scope.text.clone()]
                });
                output::table(["SCOPE", "ROLE", "TEXT"], rows)
            }
            Self::Set { name, text, role } => {
                let scope = Scope { name, text, role };
                if let Some(fault) = scope.faults().first() {
                    return Err(Failure::new(format!("scope {:?}: {fault}", scope.name)));
                }
                app.scopes.put(&scope, &Author::command_line()).await?;
                line(format!("scope {} is set", scope.name))
            }
            Self::Delete { name, yes } => {
                if app.scopes.registry().await?.get(&name).is_none() {
                    return Err(Failure::new(format!("there is no scope {name}; `scope list` shows all")));
                }
                output::confirm(yes, &format!("Delete scope {name}? Clients can't ask for it any more."))?;
                app.scopes.delete(&name, &Author::command_line()).await?;
                line(format!("deleted scope {name}"))
            }
        }
    }
}
