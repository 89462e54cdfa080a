"""Makes accounts and a client in Flask-Sentinel's database the way its users did: by its management page.

Arguments: the database's URL, then user names and passwords in turns. Prints the client's id.
"""

import base64
import sys

from flask import Flask
from flask_sentinel import ResourceOwnerPasswordCredentials
from flask_sentinel.data import Storage
from jinja2 import DictLoader

url, *people = sys.argv[1:]
application = Flask("application")
application.config.update(
    SENTINEL_MONGO_URI=url, SENTINEL_MANAGEMENT_USERNAME="operator", SENTINEL_MANAGEMENT_PASSWORD="of the page"
)
ResourceOwnerPasswordCredentials(application)
# The page stands in a frame that applications bring.
application.jinja_loader = DictLoader({"base.html": "{% block content %}{% endblock %}"})
browser = application.test_client()
headers = {"Authorization": "Basic " + base64.b64encode(b"operator:of the page").decode()}


def post(**form):
    answer = browser.post("/oauth/management", headers=headers, data=form)
    assert answer.status_code == 200, answer.status


for username, password in zip(people[::2], people[1::2]):
    post(submit="Add User", username=username, password=password)
post(submit="Add Client")
with application.app_context():
    for username, password in zip(people[::2], people[1::2]):
        assert Storage.get_user(username, password).username == username
    print(Storage.all_clients()[0].client_id)
