// Two views side by side: A, which is kept, and B, which is shown, with what A has more than B, cell by cell and measure by
// measure.

import { DASH, chip, signedLegend, write } from "../base/cells.js";
import { paint, paintSigned, theme } from "../base/colour.js";
import { page } from "../base/data.js";
import { MOVES, element, partAt } from "../base/dom.js";
import { formatWeight, wordAt } from "../base/label.js";
import { keysOf } from "../base/maps.js";
import { MEASURES } from "../base/measures.js";
import { formatNumber } from "../base/number.js";
import { whenVisible } from "../base/onscreen.js";
import { change, shownNames, shownStep, state, switchedOff } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { pinnedAt, shownView } from "./pinned.js";

export function compare(host) {
  const keep = element("button", { type: "button", class: "save", onclick: () => pin(shownView()) }, t("Keep this view as A"));
  const release = element("button", { type: "button", class: "save", onclick: () => pin(null) }, t("Let go of A"));
  const hint = element("p", { class: "note" }, t("Then choose another head, step, prompt or text, or switch something off: that is B."));
  const [first, second, difference] = ["A", "B", "A − B"].map(panel);
  const legend = signedLegend();
  difference.node.append(legend.node);
  const views = element("div", { class: "compared-maps" }, first.node, second.node, difference.node);
  const says = element("output", { class: "reading" });
  const rows = [...MEASURES.map(({ name, label }) => ({ label, of: ({ scores }) => scores[name] })),
    { label: t("loss of the prompt, nats a token"), of: ({ loss }) => loss }].map(row);
  const losses = cells3(t("losses of the run"));
  const table = element("table", { class: "compared" },
    element("thead", {}, element("tr", {}, element("td"), ...["A", "B", "A − B"].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map(({ node }) => node), losses.node));
  host.append(element("div", { class: "comparing" }, keep, release, hint), views, says, table);

  let a = null;
  let b = null;
  let hovered = null; // {query, key}
  let pins = 0; // how many times another view was kept

  function pin(view) {
    a = view;
    pins++;
    change({ a: view?.address ?? "" });
  }

  /** A map with a caption; its cells are pointed at, and with the keyboard moved through as in the large map. */
  function panel(name) {
    const caption = element("span", {}, "");
    const canvas = element("canvas", { class: "hatched" });
    const field = element("div", { class: "compared-field", tabindex: 0, role: "application", "aria-label": t("{name}; arrow keys move the pinned cell", { name }) }, canvas);
    const at = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return { query: partAt(clientY - box.top, box.height, canvas.height), key: partAt(clientX - box.left, box.width, canvas.width) };
    };
    field.addEventListener("pointermove", (event) => look(at(event)));
    field.addEventListener("pointerleave", () => look(null));
    field.addEventListener("click", (event) => change(at(event)));
    field.addEventListener("keydown", (event) => {
      const [down, right] = MOVES[event.key] ?? [];
      if (down === undefined) return;
      event.preventDefault();
      look(null);
      change({ query: state.query + down, key: state.key + right });
    });
    return { node: element("figure", {}, element("figcaption", {}, element("b", {}, name), " ", caption), field), canvas, caption };
  }

  /** Says the weights of the cell under the pointer, or else of the pinned one. */
  function look(place) {
    hovered = place;
    if (!b) return;
    const { query, key } = hovered ?? state;
    const [one, other] = [a, b].map((view) => view && weightAt(view, query, key));
    const { tokens } = b.prompt;
    const named = (names, index) => (index < names.length ? chip(wordAt(names, index)) : DASH);
    const weights = [...(a ? [`A ${formatWeight(one ?? null, a.maps.digits)}`] : []), `B ${formatWeight(other ?? null, b.maps.digits)}`];
    if (matched() && one !== null && other !== null) weights.push(`A − B ${formatNumber(one - other, 3)}`);
    says.replaceChildren(...phrase("query {i} {query} key {j} {key}: {weights}", {
      i: String(query), query: named(tokens, query), j: String(key), key: named(keysOf(b.prompt), key), weights: weights.join(" · "),
    }));
  }

  /** Whether the two maps have the same cells. */
  const matched = () => a !== null && a.maps.queries === b.maps.queries && a.maps.keys === b.maps.keys && a.prompt.causal === b.prompt.causal;

  function drawDifference() {
    difference.node.hidden = !matched();
    if (!matched()) return;
    const { queries, keys } = b.maps;
    const values = new Float64Array(queries * keys).fill(NaN); // where both are masked
    let max = 0;
    for (let query = 0; query < queries; query++) {
      const [one, other] = [a, b].map(({ maps, layer, head }) => maps.row(layer, head, query));
      one.forEach((weight, key) => {
        values[query * keys + key] = weight - other[key];
        max = Math.max(max, Math.abs(weight - other[key]));
      });
    }
    paintSigned(difference.canvas, values, max, keys);
    legend.draw([-max, 0, max].map((end) => formatNumber(end, 3)));
    write(difference.caption, a.prompt.tokens.every((token, index) => token === b.prompt.tokens[index]) ? "" : t("position by position: their tokens are not all the same"));
  }

  function drawTable() {
    for (const { of, cells } of rows) {
      const [one, other] = [a && of(a), of(b)];
      const numbers = [one, other, one !== undefined && other !== undefined && a ? one - other : undefined];
      numbers.forEach((number, index) => write(cells[index], number === undefined || number === null ? DASH : formatNumber(number, 3)));
    }
    [a?.losses, b.losses].forEach((words, index) => write(losses.cells[index], words || DASH));
    write(losses.cells[2], DASH);
  }

  const drawAll = whenVisible(host, () => {
    b = shownView();
    release.hidden = first.node.hidden = a === null;
    hint.hidden = a !== null;
    for (const [{ canvas, caption }, view] of [[first, a], [second, b]]) {
      if (!view) continue;
      paint(canvas, view.maps, view.layer, view.head, state.scale);
      write(caption, nameOf(view));
    }
    drawDifference();
    drawTable();
    look(hovered);
  });

  let shown = "";
  let restoring = ""; // the address of the view that is being read

  async function restore(address) {
    restoring = address;
    const view = await pinnedAt(address);
    restoring = "";
    if (state.a === address) pin(view); // else another was kept meanwhile
  }

  return () => {
    const now = [shownNames(), shownStep().step, state.layer, state.head, state.query, state.key, state.scale, state.a, switchedOff(state), theme(), pins].join(" ");
    if (shown === now) return;
    shown = now;
    if (state.a && state.a !== a?.address && state.a !== restoring) restore(state.a);
    drawAll();
  };

  function row({ label, of }) {
    return { ...cells3(label), of };
  }
}

/** A line of the table: its name and a cell each for A, B and their difference. */
function cells3(label) {
  const cells = Array.from({ length: 3 }, () => element("td", {}, ""));
  return { cells, node: element("tr", {}, element("th", { scope: "row" }, label), ...cells) };
}

const weightAt = ({ maps, layer, head, prompt }, query, key) => (query < maps.queries && key < keysOf(prompt).length ? maps.weight(layer, head, query, key) : null);

/** A view in words. */
function nameOf({ prompt, step, layer, head, off }) {
  const words = [t("head {name}", { name: `${layer}.${head}` }), ...(page.run === null ? [] : [t("step {step}", { step: step.toLocaleString("en") })]), prompt.name];
  return [...words, ...(off ? [t("without {parts}", { parts: off.split(" ").join(", ") })] : [])].join(" · ");
}
