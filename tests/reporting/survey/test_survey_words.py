"""What a survey tells in words."""

from detect.reporting.survey.survey_words import headline, rate_words

FACTS = {
    "estimate": 1234.4,
    "low": 1100.2,
    "high": None,
    "count": 900,
    "method": "t",
    "windows_reviewed": 40,
    "share_reviewed": 0.0314,
}


def test_the_estimate_is_told_with_its_interval_and_what_it_rests_on():
    assert headline(FACTS) == (
        "1,234 objects estimated, 95 % interval 1,100 or more; the model counted 900; 40 windows (3.1 % of the area) "
        "reviewed"
    )
    assert "1,100 to 1,400;" in headline({**FACTS, "high": 1400})


def test_nothing_is_estimated_before_the_review_and_counted_after_all_of_it():
    waiting = headline({"estimate": None, "why": "there are 0 draws", "windows_left": 40})
    assert waiting == "nothing is estimated yet: there are 0 draws; 40 windows to be reviewed"
    assert "that is a count" in headline({**FACTS, "method": "counted"})
    assert headline({**FACTS, "method": "counted", "estimate": 1}).startswith("1 object: every window")


def test_rates_and_further_windows_are_told_where_they_are_known():
    recall = {"value": 0.5, "low": 0.4, "high": 0.6}
    told = rate_words({**FACTS, "recall": recall, "precision": {"value": None}, "windows_for_10_percent": 80})
    assert told == [
        "Recall at this threshold: 50 % (40 to 60 %) of the objects are found, whatever their class.",
        "About 80 windows in all would give an interval of 10 % to either side.",
    ]
    assert rate_words({**FACTS, "windows_for_10_percent": 30}) == ["The interval is within 10 % to either side."]
