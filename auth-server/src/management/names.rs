//! Who stands behind an id, in words.

use std::collections::HashMap;

use serde::Serialize;
use shared::store::StoreError;

use crate::app::App;
use crate::audit::Author;

/// Somebody or something with a page of its own, as far as it is still there.
#[derive(Serialize, Clone)]
pub struct Party {
    pub name: String,
    pub id: String,
    /// Below /management; empty where there is no page.
    pub path: String,
}

/// Names that were looked up for this page.
pub struct Names<'a> {
    app: &'a App,
    known: HashMap<String, Party>,
}

impl<'a> Names<'a> {
    pub fn new(app: &'a App) -> Self {
        Self { app, known: HashMap::new() }
    }

    /// The user or client with this id, or what else acts.
    pub async fn of(&mut self, id: &str) -> Result<Party, StoreError> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let party = self.look_up(id).await?;
        self.known.insert(id.to_owned(), party.clone());
        Ok(party)
    }

    async fn look_up(&self, id: &str) -> Result<Party, StoreError> {
        let nameless = |name: &str| Party { name: name.to_owned(), id: String::new(), path: String::new() };
        match id {
            Author::COMMAND_LINE => return Ok(nameless("the command line")),
            Author::DECLARATION => return Ok(nameless("the declared file")),
            Author::SETUP_LINK => return Ok(nameless("the setup link")),
            Author::SERVER => return Ok(nameless("the server")),
            _ => {}
        }
        if id.starts_with("u_") {
            if let Some(user) = self.app.users.find(id).await? {
                return Ok(Party { name: user.username, id: id.to_owned(), path: format!("/users/{id}") });
            }
        } else if let Some(client) = self.app.clients.find(id).await? {
            return Ok(Party { name: client.name.clone(), id: id.to_owned(), path: format!("/clients/{id}") });
        }
        Ok(nameless(id))
    }
}
