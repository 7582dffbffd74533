// The lesson: the chapters in the reader's language, a header to go among them, and the widgets in their places.

import { TEXTS } from "./texts.js"; // first: the other modules ask for their texts as they are read
import { onSystemTheme } from "../base/colour.js";
import { page } from "../base/data.js";
import { leaveModified } from "../base/dom.js";
import { language } from "../base/words.js";
import { header } from "./header.js";
import { WIDGETS } from "./widgets.js";

const articles = [...document.querySelectorAll("article")];
const own = articles.find(({ lang }) => lang === language) ?? articles[0];
for (const one of articles) if (one !== own) one.remove(); // so that nothing stands twice
own.hidden = false;
document.documentElement.lang = language;
document.title = document.querySelector("h1").textContent;

/** What a widget is given: the worked examples by the names of their functions in examples.py, and what was measured (docs/measured.json). */
const lesson = { examples: Object.fromEntries(page.examples.map((name, at) => [name, page.prompts[at]])), measured: page.measured };

const drawings = [];

function draw() {
  for (const drawing of drawings) drawing();
}

const arrive = header(document.getElementById("controls"), draw); // first, as it knows whether the page is light or dark
for (const host of document.querySelectorAll("[data-widget]")) {
  try {
    const drawing = WIDGETS[host.dataset.widget]?.(host, lesson);
    if (drawing) drawings.push(drawing);
  } catch (error) {
    console.error(error); // the others, and the text, are there all the same
  }
}
leaveModified();
onSystemTheme(draw);
arrive();
document.documentElement.setAttribute("data-translated", "");
document.documentElement.setAttribute("data-ready", "");
