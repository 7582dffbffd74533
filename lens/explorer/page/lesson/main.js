// The lesson: the chapters in the reader's language, a header to go among them, and the widgets in their places.

import { onSystemTheme } from "../base/colour.js";
import { page } from "../base/data.js";
import { t, language } from "../base/words.js";
import { header } from "./header.js";
import { WIDGETS } from "./widgets.js";

for (const article of document.querySelectorAll("article")) {
  if (article.lang === language) article.hidden = false;
  else article.remove(); // so that nothing stands twice
}
document.documentElement.lang = language;
document.title = document.querySelector("h1").textContent;

/** What a widget is given: the worked examples in the order of `examples()` in examples.py, and what was measured (docs/measured.json). */
const lesson = { examples: page.prompts, measured: page.measured };

const drawings = [];
for (const host of document.querySelectorAll("[data-widget]")) {
  const widget = WIDGETS[host.dataset.widget];
  const draw = widget?.(host, lesson);
  if (draw) drawings.push(draw);
}

function draw() {
  for (const drawing of drawings) drawing();
}

header(document.getElementById("controls"), draw);
onSystemTheme(draw);
document.documentElement.setAttribute("data-translated", "");
document.documentElement.setAttribute("data-ready", "");
