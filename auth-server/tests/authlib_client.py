"""The whole life of tokens by Python's Authlib, as its users write it. Run by tests/protocol/libraries.rs, which gives the
server, the clients and a person as JSON in the one argument."""

import html
import json
import re
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import get_well_known_url

told = json.loads(sys.argv[1])
metadata = requests.get(get_well_known_url(told["issuer"], external=True), timeout=10).json()


def client(identity, secret, **more):
    return OAuth2Session(told[identity], told[secret], **more)


def introspect(token):
    api = client("api_id", "api_secret")
    return api.introspect_token(metadata["introspection_endpoint"], token=token).json()


def person_allows(url):
    """A person's browser: signs in, allows, and stops where it would leave for the application."""
    browser = requests.Session()
    answer = browser.get(url, allow_redirects=False, timeout=10)
    for _ in range(10):
        if answer.status_code == 303:
            location = urljoin(answer.url, answer.headers["location"])
            if not location.startswith(told["issuer"]):
                return location
            answer = browser.get(location, allow_redirects=False, timeout=10)
            continue
        assert answer.status_code == 200, answer.text
        fields = {name: html.unescape(value) for name, value in re.findall(r'name="(csrf|tx)" value="([^"]*)"', answer.text)}
        if 'name="password"' in answer.text:
            fields |= {"username": told["username"], "password": told["password"]}
            action = urljoin(told["issuer"], "/oauth/login")
        else:
            fields["decision"] = "allow"
            action = urljoin(told["issuer"], "/oauth/consent")
        answer = browser.post(action, data=fields, allow_redirects=False, timeout=10)
    raise AssertionError("the sign-in goes round in circles")


# Authorization code with PKCE.
shop = client(
    "client_id", "client_secret", scope="read", redirect_uri=told["redirect_uri"], code_challenge_method="S256",
    token_endpoint=metadata["token_endpoint"],
)
verifier = generate_token(48)
url, state = shop.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
callback = person_allows(url)
assert parse_qs(urlsplit(callback).query)["iss"] == [told["issuer"]]
first = shop.fetch_token(
    metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
)
assert first["token_type"] == "Bearer" and first["scope"] == "read" and first["expires_in"] > 0
seen = introspect(first["access_token"])
assert seen["active"] and seen["username"] == told["username"] and seen["client_id"] == told["client_id"]

# Refresh.
second = shop.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
assert second["access_token"] != first["access_token"] and second["refresh_token"] != first["refresh_token"]

# Revocation takes the family along.
answer = shop.revoke_token(
    metadata["revocation_endpoint"], token=second["refresh_token"], token_type_hint="refresh_token"
)
assert answer.status_code == 200, answer.text
assert introspect(second["access_token"]) == {"active": False}
try:
    shop.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"])
    raise AssertionError("a revoked token was renewed")
except OAuthError as error:
    assert error.error == "invalid_grant", error

# Client credentials, by both ways of authentication.
for method in ("client_secret_basic", "client_secret_post"):
    robot = client("client_id", "client_secret", scope="read", token_endpoint_auth_method=method)
    try:
        own = robot.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    except OAuthError as error:
        # Registered for Basic alone: the other way is refused, as the client would be told.
        assert method == "client_secret_post" and error.error == "invalid_client", error
        continue
    assert "refresh_token" not in own and introspect(own["access_token"])["sub"] == told["client_id"]
