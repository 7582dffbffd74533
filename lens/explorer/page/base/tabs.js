// The tabs below the workbench: one part of what they hold is shown, and only that one is drawn.

import { MOVES_ALONG, element } from "./dom.js";
import { change, state } from "./state.js";
import { t } from "./words.js";

const TITLES = {
  walk: t("Every number"),
  formed: t("How heads formed"),
  matter: t("What matters"),
  swap: t("Swap"),
  compare: t("Compare"),
  run: t("The run"),
  words: t("Words"),
};
const absent = new Set(); // panels that have nothing to show in this view
const names = Object.keys(TITLES);
const buttons = {};
const panelOf = (name) => document.getElementById(`tab-${name}`);

export function tabs(host, titles = {}) {
  for (const name of names) {
    buttons[name] = element("button", { type: "button", role: "tab", id: `to-${name}`, "aria-controls": `tab-${name}` }, titles[name] ?? TITLES[name]);
    buttons[name].addEventListener("click", () => change({ tab: name }));
  }
  host.append(...Object.values(buttons));
  host.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES_ALONG)) return;
    event.preventDefault();
    const there = names.filter((name) => !absent.has(name));
    const to = there[Math.max(0, Math.min(there.length - 1, there.indexOf(shownTab()) + MOVES_ALONG[event.key]))];
    change({ tab: to }).then(() => buttons[to].focus());
  });
  return arrange;
}

/** Says whether the panel around a part, if it is in one, has something to show; without it its tab is not there. */
export function offer(host, there) {
  const name = host.closest("[role=tabpanel]")?.id.replace("tab-", "");
  if (name === undefined || absent.has(name) !== there) return;
  if (there) absent.delete(name);
  else absent.add(name);
  arrange();
}

/** The chosen tab, or where it has nothing to show the first that has. */
const shownTab = () => (absent.has(state.tab) ? names.find((name) => !absent.has(name)) : state.tab);

function arrange() {
  for (const name of names) {
    const shown = name === shownTab();
    buttons[name].hidden = absent.has(name);
    buttons[name].setAttribute("aria-selected", shown);
    buttons[name].tabIndex = shown ? 0 : -1;
    panelOf(name).hidden = !shown;
  }
}
