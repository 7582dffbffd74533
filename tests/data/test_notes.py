"""What is said of how a text was split."""

from types import SimpleNamespace

import pytest

from data.notes import notes_on


@pytest.fixture
def lines(monkeypatch):
    """lines(n_train, n_val, copied): what is said of a text of so many bytes of which a tenth was to be validation."""

    def lines(n_train, n_val, copied):
        monkeypatch.setattr("data.notes.share_in_training", lambda *arguments: copied)
        monkeypatch.setattr("data.notes.beginning", lambda *arguments: [0])
        parts = SimpleNamespace(n_bytes=n_train), SimpleNamespace(n_bytes=n_val)
        config = SimpleNamespace(source="a.txt", val_fraction=0.1)
        notes = notes_on(["2 row(s) are left out"], config, None, parts, None, None)
        assert notes.lines[0] == "2 row(s) are left out" and notes.copied == copied
        return notes.lines[1:]

    return lines


@pytest.mark.parametrize(("n_val", "said"), [(49, "4.9%"), (51, ""), (149, ""), (151, "15.1%")])
def test_a_share_that_is_half_or_half_as_much_again_as_asked_for_is_said(lines, n_val, said):
    expected = f"{said} of the text is to validate on, not 10.0%: its documents allow no other cut"
    assert lines(1000 - n_val, n_val, 0.0) == [expected] * bool(said)


@pytest.mark.parametrize(("copied", "said"), [(0.099, 0), (0.1, 1), (0.5, 1)])
def test_validation_text_of_which_a_tenth_was_trained_on_is_warned_of(lines, copied, said):
    start = f"warning: {copied:.0%} of the validation text is in the training text too, word for word: "
    assert [line.startswith(start) for line in lines(900, 100, copied)] == [True] * said
