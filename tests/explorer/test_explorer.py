"""The page in a browser: its controls, its heads at a glance, its address; nothing goes out and no token runs."""

import json
import re
import time
from itertools import product

import numpy as np
import pytest

from lens.explorer.examples import examples
from lens.explorer.page import build_page, render
from lens.explorer.payload import payload
from model import GPT, GPTConfig
from model.sizes import parameter_table
from tests.helpers.fabricated import STORY, reading_of, write_lines, write_run
from tests.helpers.open_page import READ_ALL_CELLS, pixels, printed, shown, wait_for_step


def test_the_slider_changes_every_drawing_and_number(explore, run):
    page = explore(run, "#layer=0&head=0&view=map")
    before = [pixels(page, selector) for selector in (".field canvas", ".tile canvas")]
    assert page.inner_text(".step") == "step 200"
    page.press("input[type=range]", "ArrowLeft")
    wait_for_step(page, 40)
    after = [pixels(page, selector) for selector in (".field canvas", ".tile canvas")]
    assert all((one != other).any() for one, other in zip(before, after, strict=True))
    page.keyboard.press("ArrowRight")
    wait_for_step(page, 200)
    assert (pixels(page, ".field canvas") == before[0]).all()


def test_playing_goes_from_the_first_step_to_the_last_and_stops(explore, run, new_tab):
    page = explore(run, motion="reduce", tab=new_tab())
    for step in (40, 10, 0):
        page.keyboard.press("ArrowLeft")  # nothing has the focus: the arrow keys move the step
        wait_for_step(page, step)
    page.keyboard.press("ArrowRight")
    page.clock.install()
    page.clock.pause_at(time.time() + 3600)  # or it would go on by itself, far where the machine is busy
    page.press("input[type=range]", " ")
    assert page.get_attribute(".play", "aria-label") == "Pause"
    page.clock.run_for(1_000)
    assert page.inner_text(".step") == "step 40"
    page.keyboard.press(" ")
    page.clock.run_for(10_000)
    assert page.inner_text(".step") == "step 40"  # paused
    page.click(".play")
    page.clock.run_for(10_000)
    assert page.inner_text(".step") == "step 200"
    assert page.get_attribute(".play", "aria-label") == "Play the training"
    page.click(".play")
    assert page.inner_text(".step") == "step 0"  # from the end it begins again


def test_a_badge_is_there_from_the_threshold_on_and_nowhere_else(explore, tmp_path):
    maps = write_run(tmp_path / "run", layers=4, heads=5)
    page = explore(tmp_path / "run", "#prompt=0&step=200")
    marked = 0
    for layer, head in product(range(4), range(5)):
        weights = maps[0, 200][layer, head]
        score = np.mean([weights[i, i - 1] for i in range(1, len(weights))])
        badges = page.inner_text(f".tile[aria-label^='layer {layer}, head {head}'] .badges")
        assert ("previous token" in badges) == (score >= 0.5)
        if score >= 0.5:
            marked += 1
            assert f"previous token {score:.2f}".replace("0.", ".") in badges
    assert 0 < marked < 20


def test_induction_is_told_of_the_repeated_prompt_whichever_is_shown(explore, run, maps):
    weights, n = maps[1, 200][1, 1], 11
    score = np.mean([weights[i, i - n + 1] for i in range(1 + n, 1 + 2 * n)])
    for prompt in (0, 1):
        page = explore(run, f"#prompt={prompt}&layer=1&head=1")
        scores = dict(zip(*[iter(page.inner_text("#readout .scores").split("\n"))] * 2, strict=True))
        assert scores["induction"] == f"{score:.2f}".replace("0.", ".")


def test_choosing_a_head_or_a_token_shows_it(explore, run, maps):
    page = explore(run, "#prompt=2&step=200&layer=0&head=0")
    page.click(".tile[aria-label^='layer 1, head 2']")
    assert page.inner_text("#readout h3").startswith("Layer 1, head 2")
    page.locator("#text [role=option]").nth(5).click()
    row = maps[2, 200][1, 2][5]
    titles = page.eval_on_selector_all("#text [role=option]", "all => all.map((one) => one.title)")
    assert titles == [f"{j}: {row[j]:.6f}" if j <= 5 else f"{j}: masked" for j in range(9)]
    assert page.inner_text("#weight") == f"{row.max():.6f}"  # the strongest key of the row
    page.click("text=is read by")
    column = maps[2, 200][1, 2][:, 5]
    titles = page.eval_on_selector_all("#text [role=option]", "all => all.map((one) => one.title)")
    assert titles == [f"{i}: {column[i]:.6f}" if i >= 5 else f"{i}: masked" for i in range(9)]


def test_heads_can_be_put_in_the_order_of_a_score(explore, run, maps):
    page = explore(run, "#step=200")
    page.select_option("#grid select >> nth=0", "first_token")
    page.select_option("#grid select >> nth=1", "score")
    scores = {f"{layer}.{head}": maps[0, 200][layer, head][1:, 0].mean() for layer in range(2) for head in range(3)}
    assert page.locator(".tile .name").all_inner_texts() == sorted(scores, key=scores.get, reverse=True)


def test_a_page_opens_on_the_best_induction_head_at_the_cell_that_induction_explains_best(explore, run, maps):
    heads = product(range(2), range(3))
    induction = {head: np.mean([maps[1, 200][head][i, i - 10] for i in range(12, 23)]) for head in heads}
    layer, head = max(induction, key=induction.get)
    assert induction[layer, head] >= 0.5  # there is one
    story = STORY[:24]
    again = {
        0: [(i, j) for i in range(24) for j in range(1, i) if story[j - 1] == story[i]],  # after the same token
        1: [(i, i - 10) for i in range(12, 23)],  # the repetition
    }
    assert again[0]
    for prompt, cells in again.items():
        weights = maps[prompt, 200][layer, head]
        query, key = max(cells, key=lambda cell: weights[cell])
        page = explore(run, f"#prompt={prompt}")
        assert page.inner_text("#readout h3").startswith(f"Layer {layer}, head {head}")
        assert page.inner_text(".step") == "step 200"
        assert page.input_value("#grid select >> nth=0") == "induction"  # the measure that its badge is about
        numbers = re.findall(r"^\s*(\d+)$|(\d+)$", page.inner_text("#pair"), re.MULTILINE)
        assert [int("".join(number)) for number in numbers] == [query, key]
        assert page.inner_text("#weight") == f"{weights[query, key]:.6f}"


def test_where_no_token_comes_again_a_page_opens_on_a_query_that_looks_far_back(explore, run, maps):
    page = explore(run, "#prompt=2")
    layer, head = map(int, re.match(r"Layer (\d), head (\d)", page.inner_text("#readout h3")).groups())
    weights = maps[2, 200][layer, head]
    back = [weights[query, 1 : max(1, query - 1)].max(initial=0) for query in range(len(weights))]
    query = int(np.argmax(np.array(back) >= 0.95 * max(back)))  # the first of them
    assert page.input_value("#controls select >> nth=3") == str(query)
    assert page.inner_text("#weight") == f"{weights[query].max():.6f}"


def test_a_measure_of_another_prompt_is_marked_as_such(explore, run, maps):
    induction = {head: maps[1, 200][head][range(12, 23), range(2, 13)].mean() for head in product(range(2), range(3))}
    layer, head = max(induction, key=induction.get)
    for prompt in (1, 2):
        page = explore(run, f"#prompt={prompt}&layer={layer}&head={head}")
        for badge in (".tile[aria-pressed=true] .badge", "#readout h3 .badge"):
            assert page.locator(f"{badge}.borrowed", has_text="induction").count() == prompt - 1
            assert page.locator(badge, has_text="induction").count() == 1
        said = "measured on “random, said twice”"
        assert (said in page.get_attribute(".tile[aria-pressed=true]", "aria-label")) == (prompt == 2)
        assert page.locator("#readout .note", has_text=said).is_visible() == (prompt == 2)
        assert page.locator("#readout .scores .borrowed").count() == (2 if prompt == 2 else 0)  # duplicate token too


def test_playing_passes_over_steps_at_which_nothing_has_changed(explore, own_run, new_tab):
    path = own_run / "snapshots/heads.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    scores = {(row["step"], row["prompt"], row["layer"], row["head"]): row for row in rows}
    write_lines(
        path, [{**scores[0, *where], "step": step} if step == 10 else row for (step, *where), row in scores.items()]
    )
    page = explore(own_run, "#step=0", motion="reduce", tab=new_tab())
    page.clock.install()
    page.clock.pause_at(time.time() + 3600)
    page.press("input[type=range]", " ")
    page.clock.run_for(1_000)
    wait_for_step(page, 40)  # and not 10


def test_the_address_brings_the_view_back(explore, run):
    page = explore(run)
    page.select_option(".choices select >> nth=0", "1")
    page.click(".tile[aria-label^='layer 1, head 0']")
    page.press("input[type=range]", "Home")
    page.keyboard.press("ArrowRight")
    page.select_option("#controls select >> nth=4", "log")
    page.locator("#text [role=option]").nth(7).click()
    page.click("#views >> text=Map")
    page.press("#to-run", "Enter")  # a click may miss it while the map takes its place
    page.click(".theme")
    page.wait_for_url(re.compile("(?=.*query=7)(?=.*view=map)(?=.*tab=run).*theme=dark"))
    left, image, hash = shown(page), pixels(page, ".field canvas"), page.evaluate("location.hash")
    assert shown(explore(run)) != left == shown(explore(run, hash))
    assert (pixels(page, ".field canvas") == image).all()
    assert page.is_visible("#losses") and page.is_hidden("#walk")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.evaluate("location.hash = 'step=0&layer=0&head=2'")
    page.locator(".step", has_text="step 0").wait_for()
    assert page.inner_text("#readout h3").startswith("Layer 0, head 2")


def test_an_address_put_in_while_a_view_is_written_into_it_is_gone_to(explore, run):
    """The page is busy when the time to write comes, and meanwhile the address is put in: it is not written over."""
    page = explore(run)
    page.evaluate("""() => {
      const head = document.querySelectorAll("#controls .choice select")[2];
      head.value = "1";
      head.dispatchEvent(new Event("change"));
      setTimeout(() => { for (const end = performance.now() + 500; performance.now() < end;); }, 60);
    }""")
    time.sleep(0.25)  # so that the next line reaches the page before it is done
    page.evaluate("location.hash = 'step=0&layer=0&head=2'")
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelectorAll('#controls .choice select')[2].value") == "2"


@pytest.mark.parametrize("hash", ["#prompt=99&step=-4&layer=x&head=1e9&query=NaN&key=-1", "#scale=__proto__", "#%"])
def test_an_address_that_names_nothing_goes_to_the_nearest_view(explore, run, hash):
    page = explore(run, hash)
    assert re.fullmatch(r"[01]\.\d+|masked", page.inner_text("#weight"))


def test_a_run_with_a_single_snapshot_has_nothing_to_slide(explore, tmp_path):
    write_run(tmp_path / "run", steps=(0,))
    page = explore(tmp_path / "run")
    assert page.is_disabled("input[type=range]") and page.is_disabled(".play")


def test_every_page_becomes_the_lesson_and_comes_back(explore):
    page = explore(examples(), "#lang=vi&theme=dark")
    page.wait_for_function("() => location.hash.includes('query=')")
    page.click(".to-lesson")
    page.wait_for_selector(".chapter >> nth=8")
    assert page.evaluate("location.hash").startswith("#lesson=&theme=dark&lang=vi")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.style.colorScheme]") == [
        "vi",
        "dark",
    ]
    assert page.locator("#workbench").count() == 0
    page.click(".languages [lang=en]")
    page.wait_for_selector("html[lang=en] .chapter >> nth=8")
    page.click(".to-lesson")
    page.wait_for_selector("#workbench")
    assert page.locator(".chapter").count() == 0 and page.inner_text("h1") == "Attention by example"
    page.go_back()
    page.wait_for_selector(".chapter >> nth=8")
    page.go_forward()
    page.wait_for_selector("html[data-ready] #workbench")
    page.click("[role=tab] >> text=Words")
    page.click("#tab-words a >> text=The lesson")
    page.wait_for_selector(".chapter >> nth=8")


def test_an_address_may_ask_for_a_chapter_of_the_lesson(explore):
    page = explore(examples(), "#chapter-5")
    page.wait_for_function("() => document.querySelector('.chapters [aria-current]')?.textContent === '5'")
    assert "chapter=5" in page.evaluate("location.hash")


@pytest.mark.parametrize("hash", ["#chapter-5", "#lang=en&chapter=5", "#chapter-5&theme=dark"])
def test_the_lesson_within_a_page_keeps_its_address_and_the_way_back(explore, hash):
    page = explore(examples(), hash)
    page.click(".languages [lang=vi]")
    page.wait_for_selector("html[lang=vi][data-ready] .chapter >> nth=8")
    page.wait_for_function("() => document.querySelector('.chapters [aria-current]')?.textContent === '5'")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("() => !location.hash.includes('chapter')")
    page.reload()
    page.wait_for_selector("html[lang=vi][data-ready] .chapter >> nth=8")
    page.click(".to-lesson")
    page.wait_for_selector("html[lang=vi][data-ready] #workbench")


def test_the_way_back_is_there_from_the_middle_of_the_lesson(explore):
    """Without a language and a light the address of the maps is empty, and the browser scrolls up on the way."""
    page = explore(examples(), "#chapter-5")
    page.wait_for_function("() => location.hash.includes('chapter=5')")
    page.click(".to-lesson")
    page.wait_for_selector("html[data-ready] #workbench")


def test_each_link_leads_to_the_lesson_in_the_language_and_the_light_of_the_page(explore):
    page = explore(examples(), "#lang=vi&tab=words")
    page.click(".theme")
    page.evaluate("document.querySelector('#tab-words a').click()")  # before the light is in the address
    page.wait_for_selector("html[lang=vi][data-ready] .chapter >> nth=8")
    assert page.evaluate("document.documentElement.style.colorScheme") == "dark"


@pytest.mark.parametrize(("first", "second"), [("#lesson", "#query=0"), ("#query=0", "#lesson")])
def test_an_address_put_in_while_the_page_begins_is_gone_to(explore, first, second):
    """It changes once, while the first numbers, or the lesson, are unpacked."""
    once = f"""<script>
      addEventListener("DOMContentLoaded", () => {{
        if (location.hash === "{first}") setTimeout(() => (location.hash = "{second}"));
      }});
      const inflate = Response.prototype.arrayBuffer;
      Response.prototype.arrayBuffer = function () {{
        return new Promise((done) => setTimeout(() => done(inflate.call(this)), 300));
      }};
    </script>"""
    html = re.sub("<meta http-equiv=.*>", once, render(payload(examples())), count=1)
    page = explore(html, first)
    page.wait_for_selector(".chapter >> nth=8" if second == "#lesson" else "#workbench")
    assert page.locator("#workbench").count() == (second != "#lesson")


def test_worked_examples_have_no_training_to_move_through(explore):
    says = "Three words look at two."
    reading = reading_of(["le", " vieux", " pont"], heads=1, steps=(0,), keys=["the", " bridge"])
    reading.says = says
    other = reading_of(["a", " b"], heads=2, steps=(0,))
    page = explore([reading, other])
    assert page.inner_text(".brand") == "glassgpt\nworked examples"
    assert page.locator("#controls input, .play, .step, .loss").count() == 0
    assert page.locator(".of-run:not(.of-examples), .of-model:not(.of-examples)").locator("visible=true").count() == 0
    assert page.inner_text("h1") == "Attention by example"
    assert says in page.inner_text(".about")
    hidden = [page.locator(place).is_hidden() for place in ("#heads", "#to-formed", "#to-run", "#head")]
    assert hidden == [True, True, True, False]  # a single head is no overview, a single step no history
    page.select_option("#controls select >> nth=0", "1")
    page.locator("section[aria-labelledby=heads-title]").wait_for()
    assert page.locator(".about").is_hidden()
    measured = page.locator("#grid .choices, #badging, #readout .scores")
    assert measured.locator("visible=true").count() == 0


def test_the_page_says_first_what_the_model_is_and_from_what_it_has_learned(explore, own_run):
    total = sum(
        count for _, count in parameter_table(GPT(GPTConfig(33, n_layer=2, n_head=3, n_embd=9, position="learned")))
    )
    shape = f"{total:,} parameters, 2 layers, 3 attention heads in each"
    page = explore(own_run)
    assert page.inner_text("h1") == "How “run” learned to pay attention"
    assert f"“run” is a language model ({shape}) that learned to write in 200 steps" in page.inner_text(".standfirst")
    with (own_run / "config.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write("data:\n  source: books/old poems.txt\n")
    summary = {"documents": 12, "train_bytes": 2_345_678}
    (own_run / "data.json").write_text(json.dumps(summary), encoding="utf-8")
    said = "learned to write from 2.3 MB of text, old poems.txt, in 200 steps of training."
    assert said in explore(own_run).inner_text(".standfirst")


def test_a_run_of_no_steps_is_said_to_have_learned_nothing(explore, tmp_path):
    write_run(tmp_path / "run", steps=(0,))
    assert "that has not learned anything yet." in explore(tmp_path / "run").inner_text(".standfirst")


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(explore, run, maps):
    page = explore(run, "#prompt=1&step=200&layer=1&head=0&view=map", size=(360, 740))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(READ_ALL_CELLS) == printed(maps[1, 200][1, 0], 6)


HOSTILE = [
    "</script><img src=x onerror=\"document.title='run'\">",
    "<script>document.title='run'</script>",
    "\"'&amp;",
    "\ud83d",
    "\u202eright to left",
    "\x1b[2J",
    " \n\t⟨E6 98 8E⟩天",
    "",
    "👩‍🚀",
]
SEEN = [*HOSTILE[:3], "⟨D83D⟩", "⟨202E⟩right␣to␣left", "␛[2J", "␣↵⇥⟨E6\xa098\xa08E⟩天", "∅", "👩⟨200D⟩🚀"]


def test_a_token_is_shown_and_never_run(explore, tmp_path):
    write_run(tmp_path / "<b>run", prompts={HOSTILE[0]: HOSTILE}, steps=(0, 5))
    (tmp_path / "<b>run/samples.txt").write_text(HOSTILE[0], encoding="utf-8")
    page = explore(tmp_path / "<b>run", "#spaces=shown")
    seen = [token.replace(" ", "␣") if index < 3 else token for index, token in enumerate(SEEN)]
    assert page.locator("#text [role=option]").all_inner_texts() == seen
    page.click("#views >> text=Map")
    assert page.locator(".queries span").all_inner_texts() == seen
    assert page.inner_text("#pair .token >> nth=0") == seen[-1]
    assert page.text_content("#samples pre") == HOSTILE[0]
    assert page.title() == "<b>run: attention"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


def test_a_sandboxed_frame_shows_everything_and_refuses_quietly(new_tab, run, maps):
    page = new_tab(viewport={"width": 1000, "height": 900})
    page.set_content('<iframe sandbox="allow-scripts" width="960" height="860"></iframe>')
    page.eval_on_selector("iframe", "(frame, html) => { frame.srcdoc = html; }", build_page(run))
    page.locator("iframe").content_frame.locator("html[data-ready]").wait_for()
    frame = page.frames[1]
    assert frame.evaluate("window.origin") == "null"
    page.clock.install()
    frame.press("input[type=range]", "Home")
    wait_for_step(frame, 0)
    frame.click(".tile[aria-label^='layer 1, head 0']")
    page.clock.run_for(1_000)  # by now the page has tried to put its view into its address
    frame.click("#views >> text=Map")
    frame.click(".field", position={"x": 3, "y": 3})
    assert frame.inner_text("#weight") == f"{maps[0, 0][1, 0][0, 0]:.6f}"
    frame.click(".theme")
    frame.click(".save")
    assert frame.eval_on_selector(".shown img", "image => image.decode().then(() => image.naturalWidth)") > 1000
    assert page.troubles == []


@pytest.mark.parametrize(
    ("view", "title", "policies"), [("#view", "small: attention", 1), ("#lesson", "Attention, number by number", 2)]
)
def test_the_policy_stops_a_script_and_a_request_that_come_in_anyway(explore, run, view, title, policies):
    page = explore(run, view)
    page.wait_for_function("title => document.title === title", arg=title)
    image = "http://127.0.0.1:9/x.png"
    with page.expect_event("requestfailed", lambda request: request.url == image) as failed:
        page.evaluate(
            """image => {
              const script = Object.assign(document.createElement("script"), { textContent: "document.title = 'run'" });
              document.body.append(script, Object.assign(document.createElement("img"), { src: image }));
            }""",
            image,
        )
    assert failed.value.failure == "csp"
    assert page.title() == title
    assert len(page.troubles) == 2 * policies and all("Content Security Policy" in text for text in page.troubles)
    page.troubles.clear()
    page.requests.remove(image)


def test_an_address_that_names_another_prompt_and_the_same_query_goes_there(explore, run):
    page = explore(run, "#prompt=0&query=5&step=40&view=map")
    page.evaluate("location.hash = 'prompt=2&query=5&key=2&step=40'")
    page.locator(".queries .lit", has_text=".").wait_for()
    assert page.inner_text("#pair").split() == ["query", ".", "5", "key", "fox", "2"]
    assert page.inner_text(".step") == "step 40"


def test_the_map_fits_the_window_from_its_first_drawing_on(explore, run):
    page = explore(run, size=(390, 800))
    script = "document.querySelector('#views button:last-child').click(), document.querySelector('.field')"
    assert 200 < page.evaluate(f"({script}).getBoundingClientRect().right") <= 390
