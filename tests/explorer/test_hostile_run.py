"""The page of a run on hostile text: it is shown, in a browser, and nothing of it runs."""

from lens.explorer.page import build_page
from tests.conftest import HOSTILE
from tests.helpers.fabricated import data_of


def test_the_page_of_a_run_on_hostile_text_shows_it_and_runs_nothing(explore, hostile_run):
    page = explore(hostile_run)  # which sees to it that there is no request, no error and no dialog
    data = data_of(build_page(hostile_run))
    assert page.title().startswith("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert page.locator("svg[onload]").count() == 0
    names = [prompt["name"] for prompt in data["prompts"]]
    assert names == [text[:40] for text in HOSTILE]
    assert "<script>" in data["samples"] + "".join(names)
    for number in range(len(names)):
        page.evaluate(f"location.hash = 'prompt={number}'")
        page.wait_for_function("n => document.querySelector('#controls select').value === String(n)", arg=number)
        assert page.locator("#text [role=option]").count() == len(data["prompts"][number]["tokens"])
        tokens = "".join(page.locator("#text [role=option]").all_inner_texts())
        assert not {"\x1b", "\x07", "\x08", "\x9b", "\u202e", "\u2066"} & set(tokens)
    assert "\n".join(data["samples"].splitlines()[1:])[:50].strip()[:3] in page.text_content("#samples")
    assert page.title() != "run"
