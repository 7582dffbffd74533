// The matrices that a worked example starts from: small enough to be printed.

import { element } from "../base/dom.js";

export function matrixTables(host) {
  return (matrices) => {
    host.hidden = !matrices.length;
    host.replaceChildren(...matrices.map(matrix));
  };
}

function matrix({ name, says, rows }) {
  const size = ` ${rows.length} × ${rows[0].length}`;
  const lines = rows.map((row) => element("tr", {}, ...row.map((value) => element("td", {}, text(value)))));
  return element("figure", {},
    element("figcaption", {}, element("b", {}, ...title(name)), size, element("br"), says),
    element("table", {}, ...lines));
}

/** W_Q as W with the index Q. */
function title(name) {
  const [letter, index] = name.split("_");
  return index ? [letter, element("sub", {}, index[0]), index.slice(1)] : [name];
}

/** As many digits as the number has. */
const text = (value) => String(value).replace("-", "−");
