// Many heads: their sizes, the channels of qkv, and what comes out; model/attention.py in small.

import { attend } from "./attention.js";
import { times } from "./matrices.js";

/** The sizes that follow from the three parameters, as in model/attention.py. */
export function sizesOf({ dim, num_heads, attn_ratio }) {
  const head_dim = Math.floor(dim / num_heads);
  const key_dim = Math.max(1, Math.floor(head_dim * attn_ratio));
  return { dim, num_heads, attn_ratio, head_dim, key_dim, qkv: dim + 2 * key_dim * num_heads, scale: key_dim ** -0.5 };
}

/** The channels of qkv in the order of this project, all Q, then all K, then all V: {part, head, channel} of each. */
export function channelsOf({ num_heads, key_dim, head_dim }) {
  const heads = Array.from({ length: num_heads }, (_, head) => head);
  const width = { Q: key_dim, K: key_dim, V: head_dim };
  const partOf = (part, head) => Array.from({ length: width[part] }, (_, channel) => ({ part, head, channel }));
  return ["Q", "K", "V"].flatMap((part) => heads.flatMap((head) => partOf(part, head)));
}

/** The places of those channels in the other order, head after head: the first element is the channel that comes first. */
export function headByHead(channels) {
  const places = channels.map((_, at) => at);
  return places.sort((a, b) => channels[a].head - channels[b].head || a - b);
}

/** Q, K, V of each head, taken out of qkv, whose channels stand in `order`. */
function split(qkv, channels, order, num_heads) {
  const take = (part, head) => {
    const places = channels.flatMap((one, at) => (one.part === part && one.head === head ? [order.indexOf(at)] : []));
    return qkv.map((row) => places.map((place) => row[place]));
  };
  return Array.from({ length: num_heads }, (_, head) => ({ q: take("Q", head), k: take("K", head), v: take("V", head) }));
}

/** {qkv, heads, concat, out} of x (T, dim); W has a column for each channel, of which `order` says which stands where. */
export function multiHead(x, W, W_O, sizes, order) {
  const qkv = times(x, W.map((row) => order.map((channel) => row[channel])));
  const heads = split(qkv, channelsOf(sizes), order, sizes.num_heads).map(({ q, k, v }) => ({ q, k, v, ...attend(q, k, v) }));
  const concat = x.map((_, token) => heads.flatMap(({ output }) => output[token]));
  return { qkv, heads, concat, out: times(concat, W_O) };
}
