//! Bringing one declared thing into being, and taking out what is declared no more.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::store::StoreError;
use shared::{Secret, clock};

use super::{Action, Declaration, DeclareError, DeclaredClient, DeclaredUser, Kind, Options, Report};
use crate::accounts::{self, NewUser};
use crate::app::App;
use crate::audit::Author;
use crate::client::{Client, Digest32, SecretForm};
use crate::client_metadata::generated_secret;
use crate::directory::{Deleted, Page, Replaced};
use crate::scope::Scope;
use crate::user::{self, ADMIN, User};

/// A declaration on its way.
pub(super) struct Steps<'a> {
    pub(super) app: &'a App,
    pub(super) options: Options,
    pub(super) by: &'a Author,
    pub(super) report: Report,
}

impl Steps<'_> {
    /// All of them.
    pub(super) async fn take(&mut self, declaration: &Declaration) -> Result<(), DeclareError> {
        for scope in &declaration.scopes {
            self.apply_scope(scope).await?;
        }
        for client in &declaration.clients {
            self.apply_client(client).await?;
        }
        // New admins first: an old one may make room for them.
        let (admins, others): (Vec<_>, Vec<_>) =
            declaration.users.iter().partition(|user| user.roles.iter().any(|role| role == ADMIN));
        for user in admins.into_iter().chain(others) {
            self.apply_user(user).await?;
        }
        if self.options.prune {
            self.prune(declaration).await?;
        }
        Ok(())
    }

    async fn apply_scope(&mut self, scope: &Scope) -> Result<(), DeclareError> {
        let registry = self.app.scopes.registry().await?;
        let action = match registry.get(&scope.name) {
            Some(known) if known == scope => return Ok(()),
            Some(_) => Action::Change,
            None => Action::Create,
        };
        if !self.options.dry_run {
            self.app.scopes.put(scope, self.by).await?;
        }
        self.report.note(action, Kind::Scope, &scope.name, None);
        Ok(())
    }

    async fn apply_client(&mut self, declared: &DeclaredClient) -> Result<(), DeclareError> {
        let id = &declared.client_id;
        let refused =
            |list: Vec<_>| DeclareError::Faults(list.iter().map(|fault| format!("client {id}: {fault}")).collect());
        let metadata = declared.metadata.clone();
        let before = self.app.clients.read(id).await?;
        let mut client = match &before {
            Some(before) => {
                let mut client = before.clone();
                metadata.write_to(&mut client).map_err(refused)?;
                client
            }
            None => metadata.declare(id.clone(), clock::now()).map_err(refused)?,
        };
        client.declared = true;
        let mut generated = None;
        match &declared.client_secret {
            Some(secret) if !has_secret(&client, secret) => {
                client.secrets = vec![generated_secret(secret, clock::now()).map_err(|fault| refused(vec![fault]))?];
            }
            None if !client.is_public() && client.secrets.is_empty() => {
                generated = Some(client.add_secret(clock::now()))
            }
            _ => {}
        }
        let action = match &before {
            Some(before) if same(before, &client) => return Ok(()),
            Some(_) => Action::Change,
            None => Action::Create,
        };
        if self.options.dry_run {
            generated = None;
        } else if before.is_none() {
            match self.app.clients.insert(&client, self.by).await {
                Err(StoreError::Conflict { .. }) => return Err(DeclareError::Changed(format!("client {id}"))),
                done => done?,
            }
        } else if self.app.clients.replace(&client, self.by).await? == Replaced::Changed {
            return Err(DeclareError::Changed(format!("client {id}")));
        }
        self.report.note(action, Kind::Client, id, generated);
        Ok(())
    }

    async fn apply_user(&mut self, declared: &DeclaredUser) -> Result<(), DeclareError> {
        let name = &declared.username;
        let Some(before) = self.app.users.find_by_username(name).await? else {
            let mut generated = None;
            if !self.options.dry_run {
                let new = NewUser {
                    username: name.clone(),
                    password: declared.password.clone(),
                    roles: declared.roles.clone(),
                    must_change: false,
                    declared: true,
                };
                let created = accounts::create_user(self.app, new, self.by).await;
                generated = created.map_err(|fault| DeclareError::User { name: name.clone(), fault })?.generated;
            }
            self.report.note(Action::Create, Kind::User, name, generated);
            return Ok(());
        };
        let user = User { roles: declared.roles.clone(), declared: true, ..before.clone() };
        if same(&before, &user) {
            return Ok(());
        }
        if !self.options.dry_run {
            match self.app.users.replace(&user, self.by).await? {
                Replaced::Done => {}
                Replaced::Changed => return Err(DeclareError::Changed(format!("user {name}"))),
                Replaced::LastAdmin => return Err(DeclareError::LastAdmin(name.clone())),
            }
        }
        self.report.note(Action::Change, Kind::User, name, None);
        Ok(())
    }

    async fn prune(&mut self, declaration: &Declaration) -> Result<(), DeclareError> {
        // Found first, deleted then: a listing goes on after its last entry, which must still be there.
        let ids: BTreeSet<&str> = declaration.clients.iter().map(|declared| declared.client_id.as_str()).collect();
        let mut clients = Vec::new();
        let mut page = Page { limit: 100, ..Page::default() };
        loop {
            let found = self.app.clients.list(&page).await?;
            let Some(last) = found.last() else { break };
            page.after = Some(last.id.clone());
            clients.extend(found.into_iter().filter(|client| client.declared && !ids.contains(client.id.as_str())));
        }
        for client in &clients {
            if !self.options.dry_run {
                self.app.clients.delete(client, self.by).await?;
            }
            self.report.note(Action::Remove, Kind::Client, &client.id, None);
        }
        let names: BTreeSet<String> =
            declaration.users.iter().filter_map(|declared| user::username(&declared.username).ok()).collect();
        let mut users = Vec::new();
        page.after = None;
        loop {
            let found = self.app.users.list(&page).await?;
            let Some(last) = found.last() else { break };
            page.after = Some(last.id.clone());
            let gone = |user: &User| user.declared && !user.is_admin() && !names.contains(&user.username);
            users.extend(found.into_iter().filter(gone));
        }
        for user in &users {
            if !self.options.dry_run {
                // Admins are not taken out; one who has just become one stays.
                if self.app.users.delete(user, self.by).await? == Deleted::LastAdmin {
                    continue;
                }
            }
            self.report.note(Action::Remove, Kind::User, &user.username, None);
        }
        let registry = self.app.scopes.registry().await?;
        for scope in registry.iter() {
            if declaration.scopes.iter().all(|declared| declared.name != scope.name) {
                if !self.options.dry_run {
                    self.app.scopes.delete(&scope.name, self.by).await?;
                }
                self.report.note(Action::Remove, Kind::Scope, &scope.name, None);
            }
        }
        Ok(())
    }
}

/// Whether the client's one secret is the declared one.
fn has_secret(client: &Client, secret: &Secret) -> bool {
    let [held] = client.secrets.as_slice() else { return false };
    matches!(&held.form, SecretForm::Sha256(digest) if digest.matches(&Digest32::of(secret.expose())))
        && held.until.is_none()
}

/// Whether both would be stored as the same text.
fn same<T: Serialize>(one: &T, other: &T) -> bool {
    match (serde_json::to_value(one), serde_json::to_value(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
