// Positions: a bag of words that is shuffled, and three ways of telling a token where it stands.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";
import { distance } from "./distance.js";
import { shuffle } from "./shuffle.js";

export function positions(host) {
  const [bag, moving] = [element("section"), element("section")];
  host.append(
    element("p", { class: "title" }, t("“dog bites man” shuffled: which words keep their outputs?")), bag,
    element("p", { class: "title" }, t("Move a query and a key along: what becomes of their score?")), moving,
    element("p", { class: "note" }, t("The words’ vectors are invented; q and k are those of the text, random as the learned table is. Nothing is masked.")),
  );
  const drawings = [shuffle(bag), distance(moving)];
  const draw = () => drawings.forEach((drawing) => drawing());
  draw();
  return draw;
}
