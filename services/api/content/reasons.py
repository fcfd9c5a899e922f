"""Why a contact is not in sync, in words: one sentence for each of its reasons.

A reason is a code of the reconciler or of an app's answer. Each sentence says what a
person can do; most contacts heal by themselves once it is done.
"""

from collections.abc import Mapping
from typing import Final

from services.api.content import problems

_SENTENCES: Final[Mapping[str, str]] = {
    "no_email": "It has no email address. Add one, or let the connection create"
    " contacts without.",
    "out_of_container": "It is not in the list or folder that is synced. Move it"
    " there if it should be.",
    "exists_outside_container": "The other app has this email outside of the list or"
    " folder that is synced. Move that contact there.",
    "one_way": "It is on the side that is only written to. Change the connection's"
    " direction if it should be copied.",
    "duplicate_email": "Several contacts of one side share an email address. Merge"
    " them, or give each its own.",
    "matches_several": "Several contacts of the other side have its email addresses."
    " Merge them, or leave each address with one.",
    "made_by_us": "A connection made it, and it has no email address: nobody can"
    " tell whether the other app has this person. Add an email address.",
    "awaits_create": "It is new, and may be what a write has just made. It goes on by"
    " itself once the app has answered that write.",
    "match_is_linked": "The contact with this email on the other side belongs to"
    " somebody else already. Correct the email address of one of the two.",
    "linked_around": "Other connections link it with a contact of the other app, which"
    " has another email address, or was deleted. It goes on by itself once the two have"
    " the same address.",
    "email_removed": "Its email address was removed on one side. Put it back, or"
    " another one.",
    "clears_too_much": "So many of its fields were emptied at once that it may be an"
    " accident. Put them back, or empty them on the other side too.",
    "outcome_unknown": "An app did not say whether the last write was done, and does"
    " not show it. It is looked for further; nothing is written until it is found, or"
    " is not there for sure.",
    "deleted_left": "It was deleted on the left side and is kept on the right.",
    "deleted_right": "It was deleted on the right side and is kept on the left.",
    "too_long": "A value is longer than the other app takes. Shorten it.",
    "bad_text": "A value has a character that cannot be stored. Take it out.",
    "bad_value": "A value is not of the kind that the other app takes. Correct it.",
    "not_an_option": "A value is none of the other app's choices. Choose one of them.",
    "no_pair": "A value is a choice that none of the other app's is paired with. Pair"
    " it in the mapping, or choose another one.",
    "no_room": "The other app takes no more values of this kind. Take one out there.",
    "out_of_rules": "No rule of the connection matches it. Change it so that one does,"
    " or change the rules.",
    "not_on_other_side": "Its rule only updates contacts that are on both sides. Add it"
    " on the other side too, or change the rule.",
    "not_agreed": "The other app mails everybody it holds, and nothing says that this"
    " person agreed to mail. It is copied once the app that has it says so.",
    "unlinked": "A person took its link apart. Link it again with"
    " POST /v1/connections/{connection_id}/links if it belongs together after all.",
    "merged_away": "It was merged with another contact inside its app, which is synced"
    " already. Merge the two on the other side as well.",
    "id_reused": "Its app shows another contact under its id than before. Take the link"
    " apart with DELETE /v1/connections/{connection_id}/links/{link_id}, and link the"
    " right one.",
    "oscillates": "Something keeps changing a value back: another connection, a tool in"
    " one of the apps, or a rule of the other side. Switch that off; the value is tried"
    " again after a day.",
    "mass_change": "More would be undone at once than looks intended. If it is meant,"
    " let it go ahead with POST /v1/connections/{connection_id}/approve.",
}


def sentence(reason: str) -> str:
    """Return what to tell a person; empty where there is no reason."""
    if not reason:
        return ""
    return _SENTENCES.get(reason) or problems.kind_of(reason).detail
