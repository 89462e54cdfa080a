from eve.io.mongo import Validator


class FactoryValidator(Validator):
    def _validate_isodd(self, isodd, field, value):
        """{'type': 'boolean'}"""

    def _check_with_even(self, field, value):
        pass

    def _normalize_coerce_squeeze(self, value):
        return value.replace(" ", "")

    def _normalize_default_setter_next_serial(self, document):
        return len(document)

    def _validate_type_watt(self, value):
        return value > 0
