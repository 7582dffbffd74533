// The attention of multihead.js on a feature map: an array of planes, one a channel, each with the values of its pixels.

import { channelsOf } from "./multihead.js";
import { softmax } from "./matrices.js";

/** A convolution with kernel 1: plane after plane, each added to every output with its weight. W (channels in, out). */
function convolve(planes, W) {
  return W[0].map((_, to) => {
    const plane = planes[0].map(() => 0);
    planes.forEach((values, from) => values.forEach((value, pixel) => (plane[pixel] += value * W[from][to])));
    return plane;
  });
}

/** The output's planes of a feature map, unmasked; W and W_O as in `multiHead`. */
export function throughConvolutions(image, W, W_O, sizes) {
  const channels = channelsOf(sizes);
  const qkv = convolve(image, W);
  const planes = (part, head) => qkv.filter((_, at) => channels[at].part === part && channels[at].head === head);
  const concat = [];
  for (let head = 0; head < sizes.num_heads; head++) {
    const [Q, K, V] = ["Q", "K", "V"].map((part) => planes(part, head));
    const weights = Q[0].map((_, query) => softmax(K[0].map((_, key) => {
      let score = 0;
      for (let channel = 0; channel < Q.length; channel++) score += Q[channel][query] * K[channel][key];
      return score * sizes.scale;
    })));
    for (const values of V) concat.push(weights.map((row) => row.reduce((sum, weight, pixel) => sum + weight * values[pixel], 0)));
  }
  return convolve(concat, W_O);
}

/** Which pixels of a picture a convolution with kernel 3 reads around one of them. */
export function neighbours(pixel, height, width) {
  const [row, column] = [Math.floor(pixel / width), pixel % width];
  const near = (other) => Math.abs(Math.floor(other / width) - row) <= 1 && Math.abs((other % width) - column) <= 1;
  return Array.from({ length: height * width }, (_, other) => other).filter(near);
}
