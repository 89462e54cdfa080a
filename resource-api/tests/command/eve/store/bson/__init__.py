# Stands in for PyMongo's package, of which the settings beside it use one class.
from .objectid import ObjectId
