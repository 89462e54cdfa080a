#![allow(clippy::unwrap_used)]

use actix_web::http::header::LOCATION;
use actix_web::test::TestRequest;

use super::*;
use crate::app;
use crate::audit::Author;
use crate::browser::SignIn;
use crate::client_metadata::ClientMetadata;
use crate::user::User;

/// F-052, A-029: whoever is signed out from elsewhere while his answer is on its way has answered nothing: no code, and the
/// client may ask again.
#[actix_rt::test]
async fn a_session_that_ends_before_the_code_is_written_is_not_told_as_an_answer_given_before() {
    let (_folder, app) = app::for_test();
    let metadata = ClientMetadata {
        client_name: "Shop".to_owned(),
        redirect_uris: vec!["https://shop.example/cb".to_owned()],
        ..ClientMetadata::default()
    };
    let client = metadata.register(0).unwrap().0;
    app.clients.insert(&client, &Author::server()).await.unwrap();
    let user = User::new("alice".to_owned(), 0);
    app.users.insert(&user, &Author::server()).await.unwrap();
    let visitor = Visitor::any(&app, &TestRequest::default().to_http_request()).await.unwrap();
    let SignIn::Done(visitor) = visitor.sign_in(&app, user).await.unwrap() else { panic!("nobody is signed in") };
    let scopes: Scopes = "read".parse().unwrap();
    let wanted = AuthorizationRequest {
        client: client.id.clone(),
        target: Target { redirect_uri: "https://shop.example/cb".to_owned(), state: None },
        redirect_uri_sent: true,
        scopes: scopes.clone(),
        resources: vec!["https://api.example".to_owned()],
        code_challenge: None,
    };
    let (id, op) = transaction::begin_op(&app, wanted, Some(visitor.session.data.browser.clone())).unwrap();
    state::apply_all(&**app.state.ephemeral(), vec![op]).await.unwrap();
    let open = transaction::open(&app, &id, Some(&visitor)).await.unwrap();
    app.sessions.end(&visitor.session).await.unwrap();
    let answer = answer_with_code(&app, &visitor, open, scopes.clone()).await.unwrap();
    let location = answer.headers().get(LOCATION).unwrap().to_str().unwrap();
    assert!(location.starts_with("https://shop.example/cb?error=temporarily_unavailable"), "{location}");
    let answered = transaction::open(&app, &id, Some(&visitor)).await;
    assert!(matches!(answered, Err(PageError::Answered(_))));
}
