// The large view of the chosen head: as text, or as a map. Only the one that is shown is drawn.

import { element } from "../base/dom.js";
import { change, state } from "../base/state.js";
import { t } from "../base/words.js";

const VIEWS = [["text", t("Text")], ["map", t("Map")]];

/** The switch between the views, each in an element with the id "as-" and its name. */
export function views(host) {
  const buttons = VIEWS.map(([view, title]) => element("button", { type: "button", onclick: () => change({ view }) }, title));
  host.append(element("div", { class: "toggle", role: "group", "aria-label": t("Show the head as") }, ...buttons));
  return () => VIEWS.forEach(([view], index) => {
    buttons[index].setAttribute("aria-pressed", state.view === view);
    document.getElementById(`as-${view}`).hidden = state.view !== view;
  });
}
