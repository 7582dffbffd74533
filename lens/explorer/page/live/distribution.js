// Logits to probabilities, and the likeliest of them.

/** The largest of some numbers. */
function maximum(numbers) {
  let max = -Infinity;
  for (let i = 0; i < numbers.length; i++) if (numbers[i] > max) max = numbers[i];
  return max;
}

/** Probabilities that sum to 1, as a Float32Array. */
export function softmax(logits) {
  const max = maximum(logits);
  const result = new Float32Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += result[i] = Math.exp(logits[i] - max);
  for (let i = 0; i < logits.length; i++) result[i] /= sum;
  return result;
}

/** ln of the sum of the exponentials of logits: ln p of a token is its logit minus this. */
export function logSumExp(logits) {
  const max = maximum(logits);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - max);
  return max + Math.log(sum);
}

/** The places of the `count` largest numbers, the largest first, of equal ones the first. */
export function likeliest(numbers, count) {
  const places = [];
  for (let i = 0; i < numbers.length; i++) {
    if (places.length === count && !(numbers[i] > numbers[places[count - 1]])) continue;
    let rank = Math.min(places.length, count - 1);
    for (; rank > 0 && numbers[i] > numbers[places[rank - 1]]; rank--) places[rank] = places[rank - 1];
    places[rank] = i;
  }
  return places;
}
