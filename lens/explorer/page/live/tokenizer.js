// Text to token ids and back, as data/tokenizer.py has it: single characters, or byte pairs.

import { merge } from "./merge.js";
import { splitter } from "./split.js";
import { areWhole, bytesOf, newDecoder, readable, textOf } from "./utf8.js";

const END_OF_TEXT = "<|endoftext|>";
const LONGEST_KEPT = 64; // characters of a word whose ids are kept for when it comes again

export const Tokenizer = class {
  /**
   * As the page carries it: tokens, of byte pairs the bytes of each id, each as the character of that number, and "" for the
   * end of text and for ids without one; the pattern by which words are split, null for single characters; the id of the end
   * of text; and the ids that stand before a text's beginning.
   */
  constructor({ tokens, pattern, endOfText, start }) {
    Object.assign(this, { endOfText, start, bytes: pattern === null ? tokens.map(bytesOf) : tokens });
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.ids.delete("");
    this.words = new Map(); // the ids of those that were merged
    /** What it does not know of the pattern, for which it cannot encode any text here; null where it can. */
    this.refusal = null;
    try {
      this.pattern = pattern === null ? null : splitter(pattern);
    } catch (error) {
      this.refusal = error.message;
    }
  }

  /**
   * A text as {ids, unknown}. Half a surrogate pair becomes U+FFFD; characters that the vocabulary lacks are left out of the
   * ids, and in `unknown`, as [{character, at}] with their place in the text. Throws an Error where there is a `refusal`.
   */
  encode(text) {
    if (this.refusal) throw new Error(this.refusal);
    const whole = text.replace(/\p{Surrogate}/gu, "\ufffd");
    return this.pattern === null ? this.characters(whole) : { ids: this.pairs(whole), unknown: [] };
  }

  /** As `encode`, of a text's beginning, as the model has seen texts begin; its line ends \r\n and \r become \n. */
  begin(text) {
    const { ids, unknown } = this.encode(text.replace(/\r\n?/g, "\n"));
    const always = this.start.some((id) => this.bytes[id] === "");
    return { ids: always || !ids.length ? [...this.start, ...ids] : ids, unknown };
  }

  characters(text) {
    const ids = [];
    const unknown = [];
    let at = 0;
    for (const character of text) {
      if (this.ids.has(character)) ids.push(this.ids.get(character));
      else unknown.push({ character, at });
      at += character.length;
    }
    return { ids, unknown };
  }

  pairs(text) {
    return this.split(text).flatMap((word) => this.word(word));
  }

  /** The words of a text, of each of which the byte pairs are merged. */
  split(text) {
    return Array.from(text.matchAll(this.pattern), ([word]) => word);
  }

  word(word) {
    const known = this.words.get(word);
    if (known) return known;
    const ids = merge(bytesOf(word), this.ids);
    if (word.length <= LONGEST_KEPT) this.words.set(word, ids);
    return ids;
  }

  /** The text of ids; bytes that are not UTF-8 become U+FFFD, the end of text becomes nothing. */
  decode(ids) {
    return textOf(ids.map((id) => this.bytes[id]).join(""));
  }

  /** As `decode`, of ids that come one after another: a function from an id to what it completes, from none to the rest. */
  writer() {
    const decoder = newDecoder();
    return (id) => textOf(id === undefined ? "" : this.bytes[id], decoder, { stream: id !== undefined });
  }

  /** A token as the page shows it, what is not a whole character in hexadecimal. */
  label(id) {
    return id === this.endOfText ? END_OF_TEXT : readable(this.bytes[id]);
  }

  /** The ids of bytes, of which the last may be only a part of a character. */
  encodeBytes(bytes) {
    return areWhole(bytes) ? this.pairs(textOf(bytes)) : merge(bytes, this.ids);
  }

  /** The bytes of all tokens that begin with these. */
  beginningWith(bytes) {
    this.sorted ??= [...this.ids.keys()].sort();
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < bytes) low = middle + 1;
      else high = middle;
    }
    while (this.sorted[high]?.startsWith(bytes)) high++;
    return this.sorted.slice(low, high);
  }
};
