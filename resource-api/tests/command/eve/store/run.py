# Read, never run: nothing of this is installed where the conversion runs.
from eve import Eve
from eve.auth import BasicAuth
from eve.io.mongo import Validator


class ShopAuth(BasicAuth):
    def check_auth(self, username, password, allowed_roles, resource, method):
        return username == "admin"


class ShopValidator(Validator):
    def _validate_in_stock(self, in_stock, field, value):
        pass


def announce(items):
    print(items)


app = Eve(auth=ShopAuth, validator=ShopValidator)
app.on_insert_goods += announce
app.on_post_GET += lambda *arguments: None


@app.route("/status")
def status():
    return "fine"


app.run()
