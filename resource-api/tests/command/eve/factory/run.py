from eve import Eve

from converters import Month, Slug
from settings import SETTINGS
from validation import FactoryValidator

app = Eve(settings=SETTINGS, validator=FactoryValidator, url_converters={"slug": Slug, "month": Month})
