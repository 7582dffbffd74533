"""A browser with a run's page open in it, for the tests of the explorer."""

import os
import shutil

import pytest

from lens.explorer.page import build_page, render
from lens.explorer.payload import payload
from tests.helpers.fabricated import STORY, write_run
from tests.helpers.live_page import module
from tests.helpers.walked_row import arrays_of, row_of


@pytest.fixture(scope="session")
def browser():
    """CHROMIUM, or a Chromium on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium found (CHROMIUM names one)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


def listen(page):
    """The page; from now on its messages, errors and dialogs are in its `troubles`, the addresses in its `requests`."""
    page.troubles, page.requests = [], []
    page.set_default_timeout(10_000)
    page.on("console", lambda message: page.troubles.append(message.text))
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("dialog", lambda dialog: (page.troubles.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: page.requests.append(request.url.split("#")[0]))
    return page


@pytest.fixture(scope="session")
def shared_tab(browser):
    """The tab in which the tests open their pages in turn: a new one takes four times as long."""
    return listen(browser.new_page())


@pytest.fixture
def new_tab(browser):
    """new_tab(**options): a tab of its own, for a test that changes more than its page."""
    tabs = []
    yield lambda **options: tabs.append(listen(browser.new_page(**options))) or tabs[-1]
    for tab in tabs:
        tab.close()


@pytest.fixture
def explore(shared_tab, new_tab, tmp_path):
    """explore(run, hash="#view"): opens a page, of a run's folder, of readings or as HTML, in place of the one before;
    with "" as one that asks for no view of its own, and so gets its story.

    At the end: no error, and no request except for the file.
    """
    tabs, file = {shared_tab}, tmp_path / "attention.html"
    shared_tab.troubles.clear()
    shared_tab.requests.clear()

    def explore(run, hash="#view", size=(1280, 900), scheme="light", motion="no-preference", tab=shared_tab):
        tabs.add(tab)
        html = render(payload(run)) if isinstance(run, list) else run if isinstance(run, str) else build_page(run)
        file.write_text(html, encoding="utf-8")
        tab.goto("about:blank")  # from the file to itself with another hash nothing would be loaded
        tab.mouse.move(0, 0)
        tab.set_viewport_size({"width": size[0], "height": size[1]})
        tab.emulate_media(color_scheme=scheme, reduced_motion=motion)
        tab.goto(file.as_uri() + hash)
        tab.wait_for_selector("html[data-ready]")
        return tab

    yield explore
    for tab in tabs:
        tab.goto("about:blank")
        assert tab.troubles == []
    # a blob is of the page itself: its worker
    requests = {url for tab in tabs for url in tab.requests if not url.startswith(("data:", "blob:"))}
    assert requests == {file.as_uri()}


@pytest.fixture
def walk(explore):
    """As `explore`, with the walk along a row on the screen, so that it follows every change at once."""

    def walk(run, hash="#view", size=(1280, 1600)):
        page = explore(run, hash, size, motion="reduce")
        page.locator("#walk").scroll_into_view_if_needed()
        page.wait_for_selector("#walk:not([aria-busy])", state="attached")
        return page

    return walk


@pytest.fixture(scope="session")
def usual(tmp_path_factory):
    """A run of 2 layers of 3 heads, and its maps by (prompt, step)."""
    run = tmp_path_factory.mktemp("runs") / "small"
    return run, write_run(run)


@pytest.fixture(scope="session")
def run(usual):
    return usual[0]


@pytest.fixture(scope="session")
def maps(usual):
    return usual[1]


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the run, to be changed."""
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def walk_row(walk, rows_run):
    """The page at a row of `rows_run`, what the file holds of its layer, and the row computed again."""

    def walk_row(prompt, step, layer, head, query, key=None, size=(1280, 1600)):
        view = f"#prompt={prompt}&step={step}&layer={layer}&head={head}&query={query}"
        arrays = arrays_of(rows_run, prompt, step, layer)
        return walk(rows_run, view if key is None else f"{view}&key={key}", size), arrays, row_of(arrays, head, query)

    return walk_row


@pytest.fixture(scope="session")
def rows_run(tmp_path_factory):
    """A run of prompts of six, nine and 24 tokens: key_dim 7, 10 and 25, head_dim 3: both numbers and ribbons."""
    run = tmp_path_factory.mktemp("walk") / "made-up"
    write_run(run, steps=(0, 10, 200), prompts={"six": STORY[9:15], "nine": STORY[9:18], "long": STORY[:24]})
    return run


@pytest.fixture(scope="session")
def modules(browser):
    """modules("tokenizer", …): a tab in which the exports of each module of live/ are there, by the module's name."""
    tab = listen(browser.new_page())

    def modules(*names):
        for name in names:
            tab.add_script_tag(content=module(name))
        return tab

    yield modules
    tab.close()
    assert tab.troubles == []
