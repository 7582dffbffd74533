// The page's side of the worker in which the model runs: questions and their answers.
//
// A question belongs to what the reader has typed and switched off by then. Once that is another, the worker gives up what
// it has not yet answered, and so does the page: the answer is null.

import { page } from "../base/data.js";

const waiting = new Map(); // by number, of the questions that are open
let worker = null;
let number = 0;
let edition = 0;

/** Starts the worker; `onFail` is called with the reason where the browser refuses that, or when it breaks. */
export function startWorker(onFail) {
  const fail = (why) => {
    worker?.terminate();
    worker = null;
    for (const [id, { answer }] of waiting) {
      waiting.delete(id);
      answer(null);
    }
    onFail(why);
  };
  try {
    const address = URL.createObjectURL(new Blob([page.worker], { type: "text/javascript" }));
    worker = new Worker(address);
  } catch (error) {
    return fail(error.message);
  }
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.message ?? "");
  });
  worker.addEventListener("message", ({ data }) => {
    if (data.error !== undefined) return fail(data.error);
    const { answer, onPart } = waiting.get(data.number) ?? {};
    if (data.part !== undefined) return data.edition === edition && onPart?.(data.part);
    answer?.(data.edition === edition ? data.answer : null);
    waiting.delete(data.number);
  });
}

export const isRunning = () => worker !== null;

/** What was asked before is not wanted any more. */
export function giveUp() {
  edition++;
}

/** The worker's answer to a question of worker.js, or null where it gave it up; `onPart` is called with pieces of it before. */
export function ask(question, fields, onPart) {
  if (!worker) return Promise.resolve(null);
  return new Promise((answer) => {
    waiting.set(++number, { answer, onPart });
    worker.postMessage({ number, edition, question, ...fields });
  });
}
