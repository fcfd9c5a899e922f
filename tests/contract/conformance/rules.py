"""Which behaviours of the suite earn which rule of the quality scale.

A rule that is not here is about something else than behaviour: documents, fixtures, or
a visit to the real vendor.
"""

from typing import Final

RULES: Final[dict[str, tuple[str, ...]]] = {
    "bronze.lists_all": (
        "test_an_empty_account_is_read_to_its_end",
        "test_a_scan_shows_everybody_once",
        "test_a_scan_says_how_many_to_expect_or_nothing",
        "test_nobody_is_missed_while_people_are_added",
        "test_nobody_who_stays_is_missed_while_others_are_deleted",
        "test_who_is_deleted_is_not_in_a_scan",
    ),
    "bronze.lists_changes": (
        "test_an_edit_shows",
        "test_an_emptied_value_shows",
        "test_somebody_new_shows",
        "test_every_edit_of_many_shows_over_several_pages",
        "test_edits_of_one_second_all_show",
        "test_nothing_is_missed_where_the_vendors_clock_is_wrong",
        "test_edits_made_while_changes_are_read_are_not_lost",
        "test_who_is_edited_during_a_scan_is_shown_by_it_or_by_changes",
    ),
    "bronze.creates": (
        "test_somebody_is_made_as_asked",
        "test_somebody_with_only_an_address_is_made",
        "test_a_second_one_with_an_address_is_refused_and_named",
        "test_a_create_brings_back_nobody_who_was_deleted",
        "test_nor_does_one_of_several",
        "test_a_create_whose_answer_is_lost_is_sent_once",
        "test_a_create_is_looked_for_where_its_answer_was_lost",
    ),
    "bronze.updates": (
        "test_an_update_touches_what_was_asked_alone",
        "test_every_field_is_changed_by_itself",
        "test_every_field_is_emptied_by_itself",
        "test_an_update_whose_answer_is_lost_is_sent_once",
        "test_who_was_gone_when_read_is_not_written_to",
    ),
    "bronze.mapping_round_trips": (
        "test_all_that_the_vendor_holds_is_described_in_its_form",
        "test_what_the_vendor_has_of_consent_and_tags_is_claimed",
        "test_a_scan_shows_every_value_as_the_vendor_has_it",
        "test_values_of_all_scripts_come_as_they_are",
        "test_texts_of_all_scripts_arrive_as_they_are",
        "test_what_is_empty_is_told_to_be",
    ),
    "silver.reauthorisation": (
        "test_an_expired_token_is_replaced_and_the_call_made_again",
        "test_a_write_that_met_an_expired_token_is_made_once",
        "test_credentials_that_are_refused_are_told_so",
    ),
    "silver.respects_limits": (
        "test_too_many_calls_a_second_are_told_with_a_time_to_wait",
        "test_a_day_without_calls_left_is_told_apart",
        "test_a_pause_that_is_asked_for_is_made",
        "test_a_scan_makes_hardly_more_calls_than_it_must",
        "test_an_idle_pass_makes_no_call_too_many",
        "test_changes_are_read_with_hardly_more_calls",
        "test_creates_make_hardly_more_calls_than_they_must",
        "test_updates_make_hardly_more_calls_than_they_must",
        "test_accounts_of_one_client_share_its_limits_fairly",
    ),
    "silver.resumes_pages_after_crash": (
        "test_a_scan_goes_on_after_a_crash_at_every_page",
        "test_changes_go_on_after_a_crash_at_every_page",
    ),
    "silver.sees_deletions": (
        "test_a_deletion_shows",
        "test_many_deletions_show_over_several_pages",
        "test_who_is_deleted_is_not_live",
    ),
    "silver.sees_unsubscribes": (
        "test_an_unsubscribe_shows",
        "test_consent_is_told_in_every_answer",
    ),
    "silver.own_writes_are_no_changes": (
        "test_our_own_writes_show_as_we_know_them",
        "test_what_a_write_answers_is_what_is_read_afterwards",
        "test_an_edit_right_after_a_write_is_not_taken_for_its_answer",
        "test_nor_is_one_right_after_several_were_made",
    ),
    "silver.every_documented_error_has_a_meaning": (
        "test_a_status_without_words_has_a_meaning",
        "test_an_answer_that_is_none_is_broken",
        "test_a_page_of_nothing_in_the_vendors_place_is_broken",
        "test_what_a_failure_says_holds_nothing_of_anybody",
    ),
    "gold.webhooks": (
        "test_an_edit_is_pushed_and_found_by_reading",
        "test_somebody_new_is_pushed_and_found_by_reading",
        "test_a_push_calls_the_vendor_for_nothing",
        "test_a_push_is_for_the_account_that_changed",
        "test_a_push_to_no_address_of_ours_is_refused",
        "test_whatever_a_stranger_pushes_is_answered_and_harms_nobody",
        "test_an_altered_push_is_refused",
        "test_a_push_with_another_secret_is_refused",
        "test_a_push_of_another_time_is_refused",
        "test_a_push_that_comes_again_does_nothing",
    ),
    "gold.custom_fields": (
        "test_custom_fields_are_described",
        "test_a_choice_is_described_with_its_options",
        "test_a_custom_field_is_written_and_read",
        "test_an_option_is_chosen_and_one_that_is_none_is_refused",
    ),
    "gold.conditional_writes": (
        "test_who_moved_since_is_not_written_to",
        "test_who_is_gone_since_is_not_brought_back_by_an_update",
    ),
}
