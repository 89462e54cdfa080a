# A small application of the shape that Eve's introduction has: people, and works that refer to them.
import os

MONGO_HOST = os.environ.get("MONGO_HOST", "localhost")
MONGO_PORT = 27017
MONGO_PASSWORD = "a password that stays here"
MONGO_DBNAME = "authors"

RESOURCE_METHODS = ["GET", "POST", "DELETE"]
ITEM_METHODS = ["GET", "PATCH", "DELETE"]
CACHE_CONTROL = "max-age=20"
CACHE_EXPIRES = 20

people = {
    "item_title": "person",
    "additional_lookup": {"url": 'regex("[\\w]+")', "field": "lastname"},
    "schema": {
        "firstname": {"type": "string", "minlength": 1, "maxlength": 10},
        "lastname": {"type": "string", "minlength": 1, "maxlength": 15, "required": True, "unique": True},
        "role": {"type": "list", "allowed": ["author", "contributor", "copy"]},
        "location": {"type": "dict", "schema": {"address": {"type": "string"}, "city": {"type": "string"}}},
        "born": {"type": "datetime"},
    },
}

works = {
    "cache_control": "max-age=10,must-revalidate",
    "cache_expires": 10,
    "schema": {
        "title": {"type": "string", "required": True},
        "description": {"type": "string"},
        "owner": {
            "type": "objectid",
            "required": True,
            "data_relation": {"resource": "people", "embeddable": True},
        },
    },
}

DOMAIN = {"people": people, "works": works}
