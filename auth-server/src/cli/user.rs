//! `user …`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared::Secret;

use super::output::{self, Failure, line};
use super::{Context, PAGE};
use crate::accounts::{self, NewUser};
use crate::app::App;
use crate::audit::Author;
use crate::directory::{Deleted, Page, Replaced};
use crate::user::User;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account; without --password-stdin a password is generated and printed
    Create {
        /// The user name
        username: String,
        /// A role; may be given several times. `admin` opens the management console
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Read the password from standard input, up to the end of its first line
        #[arg(long)]
        password_stdin: bool,
        /// The password serves for one sign-in; then a new one must be chosen
        #[arg(long)]
        must_change: bool,
        /// Print the account as JSON
        #[arg(long)]
        json: bool,
    },
    /// List accounts by name
    List {
        /// Only those whose name or id contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one account
    Show {
        #[command(flatten)]
        who: Who,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Disable an account: its sessions end, its tokens are revoked, and nobody signs in with it
    Disable(Who),
    /// Enable a disabled account
    Enable(Who),
    /// Set a password, which ends sessions and revokes tokens; without --password-stdin one is generated and printed
    SetPassword {
        #[command(flatten)]
        who: Who,
        /// Read the password from standard input, up to the end of its first line
        #[arg(long)]
        password_stdin: bool,
        /// The password stays good, instead of serving for one sign-in in which a new one must be chosen
        #[arg(long)]
        permanent: bool,
        /// Print the account as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an account's roles, or change them; losing one ends sessions and revokes tokens
    Roles {
        #[command(flatten)]
        who: Who,
        /// Give a role; may be given several times
        #[arg(long, value_name = "ROLE")]
        add: Vec<String>,
        /// Take a role away; may be given several times
        #[arg(long, value_name = "ROLE")]
        remove: Vec<String>,
        /// Print the roles as JSON
        #[arg(long)]
        json: bool,
    },
    /// End every browser session of a person; tokens of applications stay (see `grant revoke`)
    EndSessions(Who),
    /// Let a person sign in at once again, whatever failed before: reopens an account that too many wrong passwords closed
    Unlock(Who),
    /// Delete an account with its sessions, tokens and consents
    Delete {
        #[command(flatten)]
        who: Who,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// The account a command is about.
#[derive(Debug, Args)]
pub struct Who {
    /// The user name, or the id (u_…)
    #[arg(value_name = "USER")]
    name: String,
}

impl UserCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let app = context.open().await?;
        match self {
            Self::Create { username, roles, password_stdin, must_change, json } => {
                let password = password_stdin.then(output::read_password).transpose()?;
                let new = NewUser { username, password, roles, must_change, declared: false };
                let created = accounts::create_user(&app, new, &Author::command_line()).await?;
                tell_password("created", &created.user, created.generated.as_ref(), json)
            }
            Self::List { search, json } => list(&app, search, json).await,
            Self::Show { who, json } => show(&app, &who.find(&app).await?, json).await,
            Self::Disable(who) => {
                let user = who.set_disabled(&app, true).await?;
                line(format!("{} is disabled", user.username))
            }
            Self::Enable(who) => {
                let user = who.set_disabled(&app, false).await?;
                line(format!("{} is enabled", user.username))
            }
            Self::SetPassword { who, password_stdin, permanent, json } => {
                let typed = password_stdin.then(output::read_password).transpose()?;
                let set = accounts::hash_password(&app, &who.find(&app).await?.username, typed).await?;
                let user = who
                    .change(&app, |user| {
                        user.password_hash = Some(set.hash.clone());
                        user.must_change = !permanent;
                        Ok(())
                    })
                    .await?;
                // A new password is the reset that opens an account after too many failures (F-043).
                app.attempts.forget(&user.username).await?;
                tell_password("new password for", &user, set.generated.as_ref(), json)
            }
            Self::Roles { who, add, remove, json } => {
                let user = if add.is_empty() && remove.is_empty() {
                    who.find(&app).await?
                } else {
                    accounts::check_roles(&add)?;
                    who.change(&app, |user| change_roles(user, &add, &remove)).await?
                };
                if json { output::json(&user.roles) } else { line(user.roles.join("\n")) }
            }
            Self::EndSessions(who) => {
                let user = who.find(&app).await?;
                app.users.end_sessions(&user, &Author::command_line()).await?;
                line(format!("ended the sessions of {}", user.username))
            }
            Self::Unlock(who) => {
                let user = who.find(&app).await?;
                accounts::reopen(&app, &user, &Author::command_line()).await?;
                line(format!("{} may sign in at once", user.username))
            }
            Self::Delete { who, yes } => {
                let user = who.find(&app).await?;
                let question = format!(
                    "Delete {} ({}) with all sessions, tokens and consents? This can't be undone.",
                    user.username, user.id
                );
                output::confirm(yes, &question)?;
                match app.users.delete(&user, &Author::command_line()).await? {
                    Deleted::LastAdmin => Err(last_admin(&user)),
                    Deleted::Done | Deleted::Missing => line(format!("deleted {} ({})", user.username, user.id)),
                }
            }
        }
    }
}

impl Who {
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// By id first: a name that looks like somebody's id leads nowhere else.
    pub async fn find(&self, app: &App) -> Result<User, Failure> {
        let by_id = if self.name.starts_with("u_") { app.users.find(&self.name).await? } else { None };
        let found = match by_id {
            Some(user) => Some(user),
            None => app.users.find_by_username(&self.name).await?,
        };
        found.ok_or_else(|| Failure::new(format!("there is no user {}; `user list` shows all", self.name)))
    }

    /// Changes the account as it is now; whoever writes it meanwhile is not overwritten.
    async fn change(&self, app: &App, change: impl Fn(&mut User) -> Result<(), Failure>) -> Result<User, Failure> {
        for _ in 0..3 {
            let mut user = self.find(app).await?;
            change(&mut user)?;
            match app.users.replace(&user, &Author::command_line()).await? {
                Replaced::Done => return Ok(user),
                Replaced::LastAdmin => return Err(last_admin(&user)),
                Replaced::Changed => {}
            }
        }
        Err(Failure::new(format!("{} is being changed by somebody else: try again", self.name)))
    }

    async fn set_disabled(&self, app: &App, disabled: bool) -> Result<User, Failure> {
        let set = |user: &mut User| {
            user.disabled = disabled;
            Ok(())
        };
        self.change(app, set).await
    }
}

/// H-008.
fn last_admin(user: &User) -> Failure {
    Failure::new(format!("{} is the last one who can open the console: make another admin first", user.username))
}

fn change_roles(user: &mut User, add: &[String], remove: &[String]) -> Result<(), Failure> {
    if let Some(missing) = remove.iter().find(|role| !user.has_role(role)) {
        return Err(Failure::new(format!("{} does not have the role {missing}", user.username)));
    }
    user.roles.retain(|role| !remove.contains(role));
    for role in add {
        if !user.has_role(role) {
            user.roles.push(role.clone());
        }
    }
    Ok(())
}

fn tell_password(done: &str, user: &User, generated: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        let mut told = described(user);
        if let Some(password) = generated {
            told["password"] = password.expose().into();
        }
        return output::json(&told);
    }
    line(format!("{done} {} ({})", user.username, user.id))?;
    match generated {
        Some(password) => line(format!("password: {}", password.expose())),
        None => Ok(()),
    }
}

/// What is told of an account; never its hash (H-003).
fn described(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "roles": user.roles,
        "disabled": user.disabled,
        "must_change_password": user.must_change,
        "created_at": user.created_at,
    })
}

fn state(user: &User) -> &'static str {
    if user.disabled { "disabled" } else { "active" }
}

async fn list(app: &App, search: Option<String>, as_json: bool) -> Result<(), Failure> {
    let mut page = Page { after: None, search, limit: PAGE };
    let mut all = Vec::new();
    loop {
        let users = app.users.list(&page).await?;
        let Some(last) = users.last() else { break };
        page.after = Some(last.id.clone());
        all.extend(users);
    }
    if as_json {
        return output::json(&all.iter().map(described).collect::<Value>());
    }
    let rows =
        all.iter().map(|user| [user.username.clone(), user.id.clone(), state(user).to_owned(), user.roles.join(" ")]);
    output::table(["USER NAME", "ID", "STATE", "ROLES"], rows)
}

async fn show(app: &App, user: &User, as_json: bool) -> Result<(), Failure> {
    let count = async |owner| Ok::<_, Failure>(app.state.durable().list(&owner, None, 10_000).await?.len());
    let closed = app.attempts.is_closed(&user.username).await?;
    let (sessions, grants) = (count(user.sessions_owner()).await?, count(user.grants_owner()).await?);
    if as_json {
        let mut told = described(user);
        told["password"] = user.password_scheme().into();
        told["declared"] = user.declared.into();
        told["closed"] = closed.into();
        told["sessions"] = sessions.into();
        told["grants"] = grants.into();
        return output::json(&told);
    }
    let once = if user.must_change { ", to be changed at the next sign-in" } else { "" };
    let password = user.password_scheme().map_or_else(|| "none".to_owned(), |scheme| format!("{scheme}{once}"));
    output::fields(&[
        ("user name", Some(user.username.clone())),
        ("id", Some(user.id.clone())),
        ("state", Some(state(user).to_owned())),
        ("roles", Some(user.roles.join(" ")).filter(|roles| !roles.is_empty())),
        ("password", Some(password)),
        ("sign-in", closed.then(|| "closed after too many wrong passwords; `user unlock` opens it".to_owned())),
        ("declared", user.declared.then(|| "in a file that `apply` read".to_owned())),
        ("created", Some(output::time(user.created_at))),
        ("sessions", Some(sessions.to_string())),
        ("grants", Some(grants.to_string())),
    ])
}
