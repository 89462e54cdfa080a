# As one mapping, which the application gives to Eve(settings=…).
SETTINGS = {
    "RESOURCE_METHODS": ["GET", "POST"],
    "DOMAIN": {
        "machines": {
            "item_url": "slug",
            "item_lookup_field": "name",
            "schema": {
                "name": {"type": "string", "unique": True, "coerce": ["strip", "squeeze"]},
                "power": {"type": ["integer", "watt"], "isodd": True, "check_with": ["even"]},
                "serial": {"type": "serial", "default_setter": "next_serial"},
                "parts": {"type": "list", "schema": {"type": "dict", "schema": {"no": {"type": "integer", "isodd": True}}}},
                "size": {"anyof": [{"type": "integer", "isodd": True}, {"type": "string"}]},
                "code": {"anyof_isodd": [True, False], "oneof_type": ["integer", "string"]},
                "labels": {"type": "dict", "propertyschema": {"regex": "[a-z]+"}, "valueschema": {"type": "watt"}},
                "schema": {"type": "dict", "schema": {"type": {"type": "string"}}},
            },
        },
        "runs": {
            "url": 'machines/<slug:machine>/<regex("[0-9]{4}"):year>/<month:month>/runs',
            "schema": {"machine": {"type": "string"}, "year": {"type": "integer"}, "month": {"type": "integer"}},
        },
    },
}
