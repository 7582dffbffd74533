// What the model computes with: numbers of float32 in typed arrays, row after row. Sums are kept in float64.

/** x (rows, n) times the transpose of a matrix (m, n), plus a bias (m) where there is one: (rows, m). */
export function linear({ weight, bias }, x, rows) {
  const n = x.length / rows;
  const m = weight.length / n;
  const y = new Float32Array(rows * m);
  let row = 0;
  for (; row + 4 <= rows; row += 4) fourRows(weight, x.subarray(row * n, (row + 4) * n), y.subarray(row * m), n, m);
  for (; row < rows; row++) oneRow(weight, x.subarray(row * n, (row + 1) * n), y.subarray(row * m), n, m);
  if (bias) for (let i = 0; i < y.length; i++) y[i] += bias[i % m];
  return y;
}

/** Four rows share each number of the matrix that is fetched, and two of its rows each number of theirs. */
function fourRows(weight, x, y, n, m) {
  let j = 0;
  for (; j + 2 <= m; j += 2) {
    const first = j * n;
    const second = first + n;
    let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0; // in an array they would take twice the time
    for (let i = 0; i < n; i++) {
      const w = weight[first + i];
      const v = weight[second + i];
      const p = x[i];
      const q = x[n + i];
      const r = x[2 * n + i];
      const s = x[3 * n + i];
      a += p * w;
      b += q * w;
      c += r * w;
      d += s * w;
      e += p * v;
      f += q * v;
      g += r * v;
      h += s * v;
    }
    y[j] = a;
    y[m + j] = b;
    y[2 * m + j] = c;
    y[3 * m + j] = d;
    y[j + 1] = e;
    y[m + j + 1] = f;
    y[2 * m + j + 1] = g;
    y[3 * m + j + 1] = h;
  }
  if (j < m) for (let row = 0; row < 4; row++) y[row * m + j] = dot(weight, j * n, x, row * n, n);
}

/** One row shares each of its numbers among four rows of the matrix. */
function oneRow(weight, x, y, n, m) {
  let j = 0;
  for (; j + 4 <= m; j += 4) {
    const [first, second, third, fourth] = [j * n, (j + 1) * n, (j + 2) * n, (j + 3) * n];
    let a = 0, b = 0, c = 0, d = 0;
    for (let i = 0; i < n; i++) {
      const p = x[i];
      a += p * weight[first + i];
      b += p * weight[second + i];
      c += p * weight[third + i];
      d += p * weight[fourth + i];
    }
    y[j] = a;
    y[j + 1] = b;
    y[j + 2] = c;
    y[j + 3] = d;
  }
  for (; j < m; j++) y[j] = dot(weight, j * n, x, 0, n);
}

/** The sum of n products, of a from one place on and b from another; four sums, so that none waits for the one before. */
export function dot(a, from, b, at, n) {
  let s = 0, t = 0, u = 0, v = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    s += a[from + i] * b[at + i];
    t += a[from + i + 1] * b[at + i + 1];
    u += a[from + i + 2] * b[at + i + 2];
    v += a[from + i + 3] * b[at + i + 3];
  }
  for (; i < n; i++) s += a[from + i] * b[at + i];
  return s + t + u + v;
}

/** Adds y to x, number by number. */
export function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}

/** Adds n numbers of y, from one place on and times a factor, to those of x from another on. */
export function addScaled(x, at, y, from, n, factor) {
  for (let i = 0; i < n; i++) x[at + i] += factor * y[from + i];
}

/** Rows of n channels, each without its mean (not with rmsnorm), divided by its root mean square, times the gain. */
export function normalise(x, n, { weight, bias }, { centred, epsilon }) {
  const y = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += n) {
    let mean = 0, square = 0;
    if (centred) for (let i = 0; i < n; i++) mean += x[row + i] / n;
    for (let i = 0; i < n; i++) square += (x[row + i] - mean) ** 2 / n;
    const scale = 1 / Math.sqrt(square + epsilon);
    for (let i = 0; i < n; i++) y[row + i] = (x[row + i] - mean) * scale * weight[i] + (bias ? bias[i] : 0);
  }
  return y;
}

/** Turns the first `count` scores into weights that add up to 1. */
export function softmax(scores, count = scores.length) {
  let largest = -Infinity;
  let sum = 0;
  for (let i = 0; i < count; i++) largest = Math.max(largest, scores[i]);
  for (let i = 0; i < count; i++) sum += scores[i] = Math.exp(scores[i] - largest);
  for (let i = 0; i < count; i++) scores[i] /= sum;
}

const silu = (x) => x / (1 + Math.exp(-x));
const gelu = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))); // the tanh form of GPT-2
const relu2 = (x) => (x > 0 ? x * x : 0);

/** The MLP's nonlinearity, in place; with swiglu `gate` has what decides how much of each number passes. */
export function activate(name, x, gate) {
  if (name === "swiglu") for (let i = 0; i < x.length; i++) x[i] *= silu(gate[i]);
  else if (name === "gelu") for (let i = 0; i < x.length; i++) x[i] = gelu(x[i]);
  else for (let i = 0; i < x.length; i++) x[i] = relu2(x[i]);
}
