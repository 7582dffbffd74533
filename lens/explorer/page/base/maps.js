// The maps of a prompt at one step, whole or as block maxima.

/** The tokens of the keys: the queries' own, except in an example where one sequence looks at another. */
export const keysOf = (prompt) => prompt.keys ?? prompt.tokens;

/** How many of a prompt's tokens are shown at once: all of them, or of a long prompt a window. */
export const atOnce = (length) => (length <= 80 ? length : 64);

/** Where the window around one of them starts: windows are half a window apart, so that one stands still for a while. */
export function windowStart(index, length) {
  const window = atOnce(length);
  return Math.max(0, Math.min(length - window, (Math.floor((index - window / 4) / (window / 2)) * window) / 2));
}

/** How many weights a head's map has: with a causal mask those of the keys up to the query. */
function cellsOf(prompt) {
  const { length } = prompt.tokens;
  return prompt.causal ? (length * (length + 1)) / 2 : length * keysOf(prompt).length;
}

/** The largest of a row's weights. */
export function largest(row) {
  let max = 0;
  for (let i = 0; i < row.length; i++) if (row[i] > max) max = row[i];
  return max;
}

/** The maps of one prompt at one step: of each head a row of weights per query, over the keys it can see. */
export const Maps = class {
  constructor(prompt, { numbers, digits }) {
    Object.assign(this, { prompt, numbers, digits, queries: prompt.tokens.length, keys: keysOf(prompt).length });
    this.size = cellsOf(prompt);
  }

  /** Where a query's weights begin among all numbers. */
  start(layer, head, query) {
    return (layer * this.prompt.heads + head) * this.size + (this.prompt.causal ? (query * (query + 1)) / 2 : query * this.keys);
  }

  /** The weights of a query: with a causal mask over the keys 0 to `query`, else over all. */
  row(layer, head, query) {
    const start = this.start(layer, head, query);
    return this.numbers.subarray(start, start + (this.prompt.causal ? query + 1 : this.keys));
  }

  /** null where the key is masked. */
  weight(layer, head, query, key) {
    return this.row(layer, head, query)[key] ?? null;
  }

  /**
   * A map, or its `part` {query, key, rows, columns}, as squares of block x block cells, row by row: of each its largest
   * weight, or with `shares` the largest weight as a share of its row's largest; -1 where all are masked. They are good
   * until the next call: a new array for each of many maps would take as long as what is written into it.
   */
  squares(layer, head, shares, part = { query: 0, key: 0, rows: this.queries, columns: this.keys }, block = 1) {
    const [width, height] = [Math.ceil(part.columns / block), Math.ceil(part.rows / block)];
    if (squares.length !== width * height) squares = new Float32Array(width * height);
    squares.fill(-1);
    const { numbers } = this;
    for (let line = 0; line < part.rows; line++) {
      const query = part.query + line;
      const start = this.start(layer, head, query); // without an array for the row: this is most of a slider step
      const end = Math.min(this.prompt.causal ? query + 1 : this.keys, part.key + part.columns);
      const unit = shares ? 1 / (largest(this.row(layer, head, query)) || 1) : 1;
      let square = Math.floor(line / block) * width;
      for (let key = part.key; key < end; square++) {
        let max = 0;
        for (const stop = Math.min(end, key + block); key < stop; key++) if (numbers[start + key] > max) max = numbers[start + key];
        if (max * unit > squares[square]) squares[square] = max * unit;
      }
    }
    return { squares, width, height };
  }
};

let squares = new Float32Array(0);

/** The block maxima of all heads at one step: what is kept of maps that are too large to keep, or to paint each time. */
export const Coarse = class {
  constructor(maps, block) {
    const { layers, heads } = maps.prompt;
    const all = (shares) => (_, index) => {
      const blocks = maps.squares(Math.floor(index / heads), index % heads, shares, undefined, block);
      return { ...blocks, squares: blocks.squares.slice() };
    };
    Object.assign(this, { heads, squared: [false, true].map((shares) => Array.from({ length: layers * heads }, all(shares))) });
  }

  /** As those of Maps. */
  squares(layer, head, shares) {
    return this.squared[+shares][layer * this.heads + head];
  }
};
