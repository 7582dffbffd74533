// A badge: the name of a pattern that a head shows, marked where it was measured on another prompt.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";

export const onPrompt = (prompt) => t("measured on “{prompt}”", { prompt });

/** A badge, as of `badges`, with its text. */
export function badge([, , on], text) {
  if (on === null) return element("span", { class: "badge" }, text);
  return element("span", { class: "badge borrowed", title: onPrompt(on) }, text, " ", element("i", {}, t("elsewhere")));
}
