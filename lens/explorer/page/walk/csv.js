// The pinned row as a file: every number that the table has, with all its digits.

import { COLUMNS, widthOf } from "./recompute.js";

const HEADS = { products: "q*k", weighted: "weight*v" };

/** A line for each key, all keys; fields are quoted as in RFC 4180. */
export function toCsv(row, tokens) {
  const columns = COLUMNS.map(({ name }) => ({ name, width: widthOf(row, name) }));
  const heads = columns.flatMap(({ name, width }) => {
    return name in HEADS ? Array.from({ length: width }, (_, c) => `${HEADS[name]}[${c}]`) : [name];
  });
  const lines = tokens.map((token, j) => [
    j,
    quoted(token),
    ...columns.flatMap(({ name, width }) => Array.from(row[name].subarray(j * width, (j + 1) * width), number)),
  ]);
  return [["j", "token", ...heads], ...lines].map((line) => line.join(",") + "\r\n").join("");
}

const number = (value) => (value === -Infinity ? "-inf" : String(value));

/** A token as text and nothing else: one that a spreadsheet could take for a formula gets an apostrophe before it. */
function quoted(token) {
  const guarded = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(token) ? `'${token}` : token;
  return `"${guarded.replaceAll('"', '""')}"`;
}
