"""Errors as the vendor words them: a number that says which, and a message.

Nearly all have status 400. What is somebody else's, and what the scopes do not allow,
is a 401.
"""

from tests.emulators.core.http import Refusal, Reply, json_reply

INVALID_EMAIL = 1
INVALID_DATE = 5
NO_PERMISSION = 60
NOT_YOURS = 102
INVALID_TOKEN = 120
TAKEN = 201
NOT_IN_LIST = 203
SUPPRESSED = 204
INACTIVE = {"Deleted": 205, "Unsubscribed": 206, "Bounced": 207, "Unconfirmed": 208}
TOO_MANY = 209
DONE_IN_PART = 210
INVALID_NEW_EMAIL = 211
NOBODY = 212
NO_CONSENT = 214
INVALID_CONSENT = 215
FIELD_TAKEN = 255
NO_OPTIONS = 257
WRONG_TYPE = 259
INVALID_PAGE = 800
INVALID_SIZE = 801
INVALID_ORDER = 802
INVALID_DIRECTION = 803
WORDS = {
    1: "Invalid Email Address",
    5: "Invalid Date",
    60: "You do not have the required permission to access this resource",
    102: "Invalid ClientID",
    120: "Invalid OAuth Token",
    201: "Already subscribed",
    203: "Subscriber Not In List",
    204: "In Suppression List",
    205: "Is Deleted",
    206: "Is Unsubscribed",
    207: "Is Bounced",
    208: "Is Unconfirmed",
    209: "Too many subscribers in this batch",
    210: "Subscriber Import had some failures",
    211: "Invalid New Email Address",
    212: "No subscribers were provided in this batch",
    214: "Please provide a consent to track value",
    215: "Please provide a valid consent to track value",
    255: "The Field Name already exists in this list",
    257: "No options defined for Multi-Valued field",
    259: "Data type is incorrect",
    400: "Failed to deserialize your request",
    404: "Not Found",
    415: "The body has to be JSON",
    429: "Rate limit exceeded",
    500: "Sorry, we've run into a problem",
    503: "The service is not available",
    800: "Invalid page number",
    801: "Invalid page size",
    802: "Invalid order field",
    803: "Invalid order direction",
}


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    if status == 401:
        return problem(INVALID_TOKEN, status=401)
    if status == 403:
        return problem(NO_PERMISSION, status=401)
    code = status if status in WORDS else 400 if status < 500 else 500
    return problem(code, status=status)


def refused(code: int, *, status: int = 400) -> Refusal:
    """Refuse what was asked, for a reason that has a number."""
    return Refusal(problem(code, status=status))


def unreadable(_why: str) -> Refusal:
    """Refuse a body."""
    return refused(400)


def problem(code: int, *, status: int = 400, more: object = None) -> Reply:
    """Return an error, with what became of each where it was done in part."""
    body: dict[str, object] = {"Code": code, "Message": WORDS[code]}
    if more is not None:
        body = {"ResultData": more, **body}
    return json_reply(body, status)
