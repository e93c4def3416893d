"""What a run costs."""

from detect.reporting.bill import Bill


def test_the_hours_of_all_workers_are_paid() -> None:
    """Two workers for half an hour each at 3 an hour."""
    bill = Bill(3.0, lambda: 2 * 1800.0)
    assert bill.text() == "cost 3.00" and bill.facts() == {"worker_hours": 1.0, "cost": 3.0}


def test_without_a_price_nothing_is_told() -> None:
    bill = Bill(None, lambda: 3600.0)
    assert bill.text() == "" and bill.facts() == {}
