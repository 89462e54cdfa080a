from werkzeug.routing import BaseConverter, IntegerConverter


class Slug(BaseConverter):
    regex = "[a-z-]+"


class Month(IntegerConverter):
    def to_python(self, value):
        return super().to_python(value) % 12
