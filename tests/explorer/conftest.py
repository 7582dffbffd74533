"""A browser with a run's page open in it, for the tests of the explorer."""

import os
import shutil

import pytest

from lens.explorer.page import build_page
from tests.helpers.fabricated import write_run
from tests.helpers.walked_row import write_rows


def find_browser():
    """CHROMIUM, or a Chromium on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser():
    path = find_browser()
    if not path:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium found (CHROMIUM names one)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def explore(browser, tmp_path):
    """explore(run, hash="", **context): opens a page, of a run's folder or its HTML.

    At the end: no error, and no request except for the file.
    """
    contexts, troubles, requests, files = [], [], [], set()

    def explore(run, hash="", **options):
        file = tmp_path / "attention.html"
        file.write_text(run if isinstance(run, str) else build_page(run), encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url.split("#")[0]))
        files.add(file.as_uri())
        page.goto(file.as_uri() + hash)
        page.wait_for_selector("html[data-ready]")
        return page

    explore.troubles, explore.requests = troubles, requests
    yield explore
    for context in contexts:
        context.close()
    assert troubles == []
    assert {url for url in requests if not url.startswith("data:")} == files


@pytest.fixture(scope="session")
def usual(tmp_path_factory):
    """A run of 2 layers of 3 heads, and its maps by (prompt, step)."""
    run = tmp_path_factory.mktemp("runs") / "small"
    return run, write_run(run)


@pytest.fixture(scope="session")
def rows_run(tmp_path_factory):
    """A run for the walk along a row: as walked_row.py makes it."""
    return write_rows(tmp_path_factory.mktemp("walk") / "made-up")
