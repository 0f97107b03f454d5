"""What is kept of rendered bodies."""

from quotes.answers import Kept, Rendered


def test_a_rendered_body_is_kept_until_its_day_ends():
    kept = Kept[str](2)
    rendered = kept.keep("json", Rendered(b"{}", "etag", ends=100.0))

    assert kept.get("json", 99.9) is rendered
    assert kept.get("json", 100.0) is None
    assert kept.get("text", 99.9) is None


def test_clients_cannot_make_it_keep_more_than_it_may():
    kept = Kept[int](2)

    for key in range(3):
        kept.keep(key, Rendered(b"{}", "etag", ends=100.0))

    assert [key for key in range(3) if kept.get(key, 0.0)] == [2]
