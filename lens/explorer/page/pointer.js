// Where the pointer is, and where the arrow keys go.

/** Rows down and columns to the right, by key. */
export const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Which of `count` equal parts of a length lies at a distance from its start; the first or the last beyond its ends. */
export const partAt = (distance, size, count) => Math.max(0, Math.min(count - 1, Math.floor((distance / size) * count)));
