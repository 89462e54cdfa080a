# A grown application: what settings files come to hold when Python is at hand.
import datetime
import decimal
import re
import uuid
from collections import OrderedDict

from bson import ObjectId

from rules import is_even, slug

URL_PREFIX = "api"
API_VERSION = "v1"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
RESOURCE_METHODS = ("GET", "POST")
ITEM_METHODS = ("GET", "PATCH", "PUT", "DELETE")
MONGO_URI = "mongodb://user:secret@db/store"
ARCHIVE_URI = "mongodb://user:secret@archive/store"
MONGO_QUERY_BLACKLIST = ["$where"]
RENDERERS = ["eve.render.JSONRenderer"]
RATE_LIMIT_GET = (300, 60 * 15)
X_DOMAINS = "*"
HOUSE_CURRENCY = "EUR"
EPOCH = datetime.datetime(2020, 1, 1)
MAIN_SHOP = ObjectId("5f0000000000000000000abc")


class TokenAuth:
    pass


DOMAIN = OrderedDict()
DOMAIN["shops"] = {
    "authentication": None,
    "mongo_prefix": "ARCHIVE",
    "datasource": {
        "source": "places",
        "filter": {"kind": "shop", "opened": {"$gte": EPOCH}, "owner": {"$ne": MAIN_SHOP}},
        "projection": {"secret": 0},
        "default_sort": [("name", 1), ("opened", -1)],
    },
    "mongo_indexes": {
        "by_name": [("name", 1)],
        "by_code": ([("code", 1), ("kind", -1)], {"unique": True, "sparse": True}),
    },
    "schema": {
        "name": {"type": "string", "coerce": str.strip, "regex": re.compile("^[a-z]+$", re.I)},
        "kind": {"type": "string", "default": "shop", "allowed": {"shop"}},
        "code": {"type": "string", "default_setter": uuid.uuid4},
        "opened": {"type": "datetime", "min": EPOCH, "default": datetime.date(2021, 5, 6)},
        "parent": {"type": "objectid", "default": MAIN_SHOP, "coerce": ObjectId},
        "rating": {"type": "float", "max": float("inf"), "min": 0.5},
        "rent": {"type": "decimal", "default": decimal.Decimal("1.50")},
    },
}
DOMAIN["goods"] = {
    "authentication": TokenAuth,
    "auth_field": "seller",
    "url": 'shops/<regex("[a-f0-9]{24}"):shop>/goods',
    "schema": {
        "name": {"type": "string", "coerce": [str, str.lower, slug]},
        "price": {"type": "integer", "coerce": lambda cents: int(cents), "check_with": is_even},
        "shop": {"type": "objectid", "data_relation": {"resource": "shops"}},
        "added": {"type": "datetime", "default_setter": datetime.datetime.utcnow},
        "stock": {"type": "dict", "keysrules": {"regex": "[0-9]+"}, "valuesrules": {"type": "integer"}},
    },
}
