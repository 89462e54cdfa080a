"""Serves a domain file by Eve, for the oracle to compare with.

    python serve_eve.py MONGODB_URL DATABASE < lines

The first line of standard input is the domain as JSON; each line after it empties the database. Each is answered by
one line of JSON on standard output, the first with the port: {"port": 40123}. It ends with its standard input, and
leaves no database behind.
"""

import json
import logging
import sys
import threading
import urllib.request
import uuid
from datetime import datetime, timezone
from urllib.parse import urlsplit

from bson import ObjectId, json_util
from eve import Eve
from eve.auth import BasicAuth
from eve.io.mongo import Validator
from cerberus import rules_set_registry, schema_registry
from flask import got_request_exception, request
from pymongo import MongoClient
from werkzeug.serving import WSGIRequestHandler, make_server

RFC_1123 = "%a, %d %b %Y %H:%M:%S GMT"


class Names:
    """What names in a domain file stand for, where Eve takes callables."""

    def __init__(self, date_format):
        self.date_format = date_format

    def coercion(self, name):
        return {
            "int": int,
            "float": float,
            "str": str,
            "bool": bool,
            "lower": lambda value: value.lower(),
            "upper": lambda value: value.upper(),
            "strip": lambda value: value.strip(),
            "datetime": self.datetime,
            "objectid": self.object_id,
            "json": json.loads,
        }[name]

    def datetime(self, value):
        return value if isinstance(value, datetime) else datetime.strptime(value, self.date_format)

    def object_id(self, value):
        # Of nothing ObjectId makes a new one.
        return ObjectId([] if value is None else value)

    def setter(self, name):
        return {
            "utcnow": lambda _: datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0),
            "uuid4": lambda _: str(uuid.uuid4()),
            "objectid": lambda _: ObjectId(),
            "subject": lambda _: caller(),
        }[name]

    def renamer(self, name):
        return {"lower": str.lower, "upper": str.upper, "snake_case": snake_case}[name]


def snake_case(name):
    import re

    name = re.sub(r"[\W_]+", "_", name)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower()


class NamedChecks(Validator):
    """The check_with names that the oracle's domains use."""

    def _check_with_slug(self, field, value):
        if isinstance(value, str) and not (value and all(c.isascii() and (c.isalnum() or c in "-_") for c in value)):
            self._error(field, "must be a slug (letters, digits, '-' and '_')")


OPERATORS = ("anyof", "allof", "oneof", "noneof")


def fields(schema, names):
    return schema if isinstance(schema, str) else {name: rules(value, names) for name, value in schema.items()}


def rules(written, names):
    """One rule set with callables for names, and dates for text where only dates fit."""
    if not isinstance(written, dict):
        return written
    kinds = written.get("type")
    dates = kinds == "datetime"

    def constant(value):
        if dates and isinstance(value, str):
            return datetime.strptime(value, names.date_format)
        if kinds == "objectid" and isinstance(value, str) and ObjectId.is_valid(value):
            return ObjectId(value)
        return value

    made = {}
    for name, value in written.items():
        if name in ("min", "max", "default"):
            value = constant(value)
        elif name in ("allowed", "forbidden"):
            value = [constant(one) for one in value]
        elif name == "coerce":
            value = tuple(map(names.coercion, value)) if isinstance(value, list) else names.coercion(value)
        elif name == "rename_handler":
            value = tuple(map(names.renamer, value)) if isinstance(value, list) else names.renamer(value)
        elif name == "default_setter":
            value = names.setter(value)
        elif name == "schema" and isinstance(value, dict):
            fieldwise = kinds == "dict" or (kinds != "list" and all(isinstance(one, dict) for one in value.values()))
            value = fields(value, names) if fieldwise else rules(value, names)
        elif name in ("keysrules", "valuesrules", "keyschema", "valueschema", "allow_unknown"):
            value = rules(value, names)
        elif name == "items" or name in OPERATORS:
            value = [rules(one, names) for one in value]
        made[name] = value
    return made


def index(value):
    if len(value) == 2 and isinstance(value[1], dict):
        return ([tuple(pair) for pair in value[0]], value[1])
    return [tuple(pair) for pair in value]


def settings(domain, url, database):
    """Eve's settings from a domain file."""
    # Dates without a zone, as Eve reads those of requests.
    options = json_util.JSONOptions(tz_aware=False)
    domain = json_util.loads(json.dumps(domain), json_options=options)
    names = Names(domain.get("DATE_FORMAT", RFC_1123))
    for name, schema in domain.pop("SCHEMA_REGISTRY", {}).items():
        schema_registry.add(name, fields(schema, names))
    for name, rule_set in domain.pop("RULES_SET_REGISTRY", {}).items():
        rules_set_registry.add(name, rules(rule_set, names))
    for resource in domain["DOMAIN"].values():
        if "schema" in resource:
            resource["schema"] = fields(resource["schema"], names)
        source = resource.get("datasource", {})
        if "default_sort" in source:
            source["default_sort"] = [tuple(pair) for pair in source["default_sort"]]
        if "mongo_indexes" in resource:
            resource["mongo_indexes"] = {name: index(value) for name, value in resource["mongo_indexes"].items()}
    domain.update(MONGO_URI=urlsplit(url)._replace(path=f"/{database}").geturl())
    return domain


def caller():
    return request.authorization.token if request.authorization else None


class Tokens(BasicAuth):
    """A token is the caller's name; `nobody` is refused. A method in the roles' list needs a token that names the role."""

    def authorized(self, allowed_roles, resource, method):
        token = caller()
        if not token or token == "nobody":
            return False
        self.set_request_auth_value(token)
        return not allowed_roles or any(role in token for role in allowed_roles)


def hook(app, event, url):
    """Has a function of Eve's call the URL that a domain file names for an event."""

    def call(*_):
        with urllib.request.urlopen(urllib.request.Request(url, data=b"{}", method="POST")):
            pass

    slot = getattr(app, event)
    slot += call


def told(app):
    """An application that never raises: what it raised stands in a header of its 500."""

    def answer(environ, start_response):
        raised = []
        with got_request_exception.connected_to(lambda _, exception: raised.append(exception), app):
            try:
                return app(environ, lambda status, headers, *more: start_response(status, headers + told_by(raised), *more))
            except Exception as error:
                start_response("500 INTERNAL SERVER ERROR", [("Content-Type", "text/html"), *told_by([error])])
                return [b"<!doctype html>"]

    return answer


def told_by(raised):
    return [("X-Raised", f"{type(error).__name__}: {str(error)[:300]!r}") for error in raised[:1]]


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without it each answer would wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log(self, *_):
        pass


def serve(domain, url, database):
    auth = Tokens if domain.pop("TOKENS", False) else None
    hooks = domain.pop("HOOKS", {})
    app = Eve(settings=settings(domain, url, database), validator=NamedChecks, auth=auth)
    for event, called in hooks.items():
        hook(app, event, called)
    app.logger.setLevel(logging.CRITICAL + 1)
    server = make_server("127.0.0.1", 0, told(app), threaded=True, request_handler=Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def main(url, name):
    client = MongoClient(url)
    client.drop_database(name)
    database = client[name]
    try:
        port = serve(json.loads(sys.stdin.readline()), url, name)
        print(json.dumps({"port": port}), flush=True)
        for _ in sys.stdin:
            for collection in database.list_collection_names():
                database[collection].delete_many({})
            print("{}", flush=True)
    finally:
        client.drop_database(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
