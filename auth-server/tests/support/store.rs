//! The store behind a test server, and programs that share it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use auth_server::App;
use auth_server::audit::{Event, EventFilter, EventKind};
use auth_server::directory::EventPage;
use auth_server::user::User;
use shared::clock;

use super::{Server, by};

impl Server {
    /// Serves a store that was [unserved](Server::unserved), at the address its configuration names.
    pub fn serve(mut self) -> Self {
        let listener = TcpListener::bind(self.app.config.server.listen).unwrap();
        self.running = Some(auth_server::serve(self.app.clone(), listener.try_clone().unwrap()).unwrap());
        self.listener = Some(listener);
        self
    }

    /// Stops and starts again on the same store and address.
    pub async fn restart(mut self) -> Self {
        self.running.take().unwrap().stop().await;
        let app = Data::new(App::open(self.app.config.clone()).await.unwrap());
        let listener = self.listener.as_ref().unwrap().try_clone().unwrap();
        self.running = Some(auth_server::serve(app.clone(), listener).unwrap());
        self.app = app;
        // Connections of the earlier server may still lie in the pool; a GET on one of them harms nothing.
        for _ in 0..5 {
            self.http.get(format!("{}/healthz", self.url)).send().await.ok();
        }
        self
    }

    /// Ends what [`super::Stored::lose`] began, and waits until the server has noticed.
    pub async fn find_store_again(&self, table: &str) {
        self.stored.restore(table);
        let end = Instant::now() + Duration::from_secs(60);
        let state = &self.app.state;
        while self.get("/readyz").await.status != 200
            || state.durable().ping().await.is_err()
            || state.ephemeral().ping().await.is_err()
        {
            assert!(Instant::now() < end, "the store is not found again");
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Changes a stored user.
    pub async fn change_user(&self, id: &str, change: impl FnOnce(&mut User)) {
        let mut user = self.app.users.find(id).await.unwrap().unwrap();
        change(&mut user);
        assert_eq!(self.app.users.replace(&user, &by()).await.unwrap(), auth_server::directory::Replaced::Done);
    }

    /// Changes a stored client.
    pub async fn change_client(&self, id: &str, change: impl FnOnce(&mut auth_server::client::Client)) {
        let mut client = self.app.clients.read(id).await.unwrap().unwrap();
        change(&mut client);
        assert_eq!(self.app.clients.replace(&client, &by()).await.unwrap(), auth_server::directory::Replaced::Done);
    }

    /// A user whose stored hash is `hash`, whatever made it.
    pub async fn user_with_hash(&self, name: &str, hash: &str) -> User {
        let mut user = User::new(name.to_owned(), clock::now());
        user.password_hash = Some(hash.to_owned());
        self.app.users.insert(&user, &by()).await.unwrap();
        user
    }

    /// What the audit log tells of one kind of event, the newest first.
    pub async fn events(&self, kind: EventKind) -> Vec<Event> {
        let filter = EventFilter { kind: Some(kind), ..Default::default() };
        let found = self.app.audit.list(&filter, &EventPage::newest(1000)).await.unwrap();
        found.into_iter().map(|recorded| recorded.event).collect()
    }
}
