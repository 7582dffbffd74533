// The worker in which the model runs: it takes questions from client.js, the shortest first, and answers them one by one.
//
// A long one may also answer piece by piece, and is given up when one of a later `round` is asked.
// Between two pieces of work it looks whether the reader has gone on: what belongs to an earlier text is then given up.

import { QUESTIONS, isLong } from "./answers.js";

const channel = new MessageChannel(); // to itself: a timer would wait for milliseconds
const turn = () => new Promise((done) => {
  channel.port1.onmessage = done;
  channel.port2.postMessage(null);
});

const open = []; // questions, and of the long ones what is left of their work
let latest = 0;
let lastRound = 0;
let working = false;

addEventListener("message", ({ data }) => {
  latest = Math.max(latest, data.edition);
  lastRound = Math.max(lastRound, data.round ?? 0);
  open.push(data);
  if (!working) work();
});

async function work() {
  working = true;
  while (open.length) {
    const at = Math.max(0, open.findIndex((one) => !isLong(one.question)));
    const [one] = open.splice(at, 1);
    try {
      await advance(one);
    } catch (error) {
      postMessage({ error: String(error?.message ?? error) });
      open.length = 0;
    }
    await turn();
  }
  working = false;
}

/** Answers a question, or does a piece of the work for it. */
async function advance(one) {
  const { number, edition, question, round } = one;
  if (edition < latest || round < lastRound) return postMessage({ number, edition, answer: null });
  one.work ??= QUESTIONS[question](one);
  const { value, done } = await one.work.next();
  if (!done) {
    if (value) postMessage({ number, edition, part: value });
    return void open.push(one);
  }
  const { answer, transfer = [] } = value;
  postMessage({ number, edition, answer }, transfer);
}
