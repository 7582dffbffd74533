// About the run: its name, its losses, what it wrote, its configuration and its parameters.

import { kind, name, page } from "../base/data.js";
import { element } from "../base/dom.js";
import { onChange } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { given, t } from "../base/words.js";
import { losses } from "./losses.js";
import { samples } from "./samples.js";

const place = (id) => document.getElementById(id);

export function run() {
  document.title = kind === "examples" ? t("Attention by example") : t("{name}: attention", { name });
  place("thresholds").append([...new Set(Object.values(page.thresholds))].join(", "));
  offer(place("said"), kind !== "examples");
  if (kind === "examples") return;
  if (kind === "run") {
    onChange(losses(place("losses")));
    samples(place("samples"));
  }
  place("said").hidden = !page.said.length;
  place("said").append(...page.said.map((line) => element("li", {}, line)));
  place("config").append(element("pre", {}, page.config));
  parameters(place("parameters"));
}

function parameters(host) {
  const total = page.parameters.reduce((sum, [, count]) => sum + count, 0);
  host.hidden = !total;
  const row = (name, count) => element("tr", {}, element("th", { scope: "row" }, name),
    element("td", {}, count.toLocaleString("en")), element("td", {}, `${((100 * count) / total).toFixed(1)} %`));
  const titles = [t("part"), t("parameters"), t("share")].map((title) => element("th", { scope: "col" }, title));
  host.append(element("table", { class: "parameters" },
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...page.parameters.map(([name, count]) => row(given("parts", name), count))),
    element("tfoot", {}, row(t("in all"), total))));
}
