// About the run: its name, its losses, what it wrote, its configuration and its parameters.

import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { onChange } from "../base/state.js";
import { losses } from "./losses.js";
import { samples } from "./samples.js";

const place = (id) => document.getElementById(id);

export function run() {
  document.title = page.run === null ? "Attention by example" : `${page.run}: attention`;
  place("run").append(page.run ?? "");
  place("thresholds").append([...new Set(Object.values(page.thresholds))].join(", "));
  place("losses").closest("section").hidden = page.run === null;
  if (page.run === null) return;
  onChange(losses(place("losses")));
  samples(place("samples"));
  place("config").append(element("pre", {}, page.config));
  parameters(place("parameters"));
}

function parameters(host) {
  const total = page.parameters.reduce((sum, [, count]) => sum + count, 0);
  host.hidden = !total;
  const row = (name, count) => element("tr", {}, element("th", { scope: "row" }, name),
    element("td", {}, count.toLocaleString("en")), element("td", {}, `${((100 * count) / total).toFixed(1)} %`));
  const titles = ["part", "parameters", "share"].map((title) => element("th", { scope: "col" }, title));
  host.append(element("table", { class: "parameters" },
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...page.parameters.map(([name, count]) => row(name, count))),
    element("tfoot", {}, row("in all", total))));
}
