def is_even(field, value, error):
    if value % 2:
        error(field, "must be even")


def slug(text):
    return text.replace(" ", "-")
