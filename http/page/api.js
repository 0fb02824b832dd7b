/** What the server is asked, with the key that it wants, and its errors in its own words. */

import { EventReader } from "./events.js";

/** The connection ended, or never was: nobody can say why from here. */
export const UNREACHABLE = "unreachable";
/** The answer broke off in the middle: the server ended, or was restarted. */
export const CUT = "cut";

export class ApiError extends Error {
  /** @param {string} message @param {{status?: number, code?: string|null}} [about] */
  constructor(message, { status = 0, code = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Api {
  #keys;

  /** @param {import("./keys.js").Keys} keys */
  constructor(keys) {
    this.#keys = keys;
  }

  /** An answer's object. */
  async json(path, init = {}) {
    return (await this.response(path, init)).json();
  }

  /** An answer's text. */
  async text(path, init = {}) {
    return (await this.response(path, init)).text();
  }

  /** An answer to a JSON body. */
  post(path, body) {
    const headers = { "Content-Type": "application/json" };
    return this.response(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /**
   * An answer that is no error; asks the person for a key once the server wants one, unless it is
   * only asked by the way: `quiet`.
   */
  async response(path, { quiet = false, ...init } = {}) {
    for (;;) {
      const headers = { ...init.headers, ...this.#keys.headers() };
      const answer = await fetch(path, { ...init, headers }).catch(() => {
        throw new ApiError("The server cannot be reached.", { code: UNREACHABLE });
      });
      if (answer.ok) return answer;
      const error = errorOf(answer.status, await answer.text());
      if (error.status !== 401 || quiet || !(await this.#keys.ask(error.message))) throw error;
    }
  }

  /**
   * Send a file and hear of it. `hear.upload(sent, all)` tells of the bytes, `hear.event(data)` of
   * everything that the server says; the promise comes to the last event's data.
   *
   * @param {FormData} form
   * @param {{path: string, hear: {upload: Function, event: Function}, signal: AbortSignal}} about
   * @returns {Promise<any>}
   */
  transcribe(form, about) {
    return this.#keyed((headers) => stream(form, { ...about, headers }));
  }

  /**
   * Send a file for later; comes to what the server makes of it. The same `key` is the same job.
   *
   * @param {FormData} form
   * @param {{path: string, key: string, hear: {upload: Function}, signal: AbortSignal}} about
   * @returns {Promise<any>}
   */
  submit(form, { key, hear, ...about }) {
    return this.#keyed(async (headers) => {
      const named = { ...headers, "Idempotency-Key": key };
      const request = await post(form, { ...about, headers: named, upload: hear.upload });
      return JSON.parse(request.responseText);
    });
  }

  /** What comes of it with the key that there is, or with one that the person gives. */
  async #keyed(send) {
    for (;;) {
      try {
        return await send(this.#keys.headers());
      } catch (error) {
        if (error.status !== 401 || !(await this.#keys.ask(error.message))) throw error;
      }
    }
  }
}

/** One upload, and the events that answer it. */
async function stream(form, { path, hear, signal, headers }) {
  const reader = new EventReader();
  let seen = 0;
  let done = null;
  let wrong = null;
  const text = (request) => {
    const news = request.responseText.slice(seen);
    seen += news.length;
    for (const { name, data } of reader.feed(news)) {
      if (name === "error") wrong ??= told(data.error ?? {}, 200);
      else if (name === "transcript.text.done") done = data;
      else hear.event(data);
    }
  };
  await post(form, { path, signal, headers, upload: hear.upload, text });
  if (wrong) throw wrong;
  if (!done) throw new ApiError("The server ended before it was done.", { code: CUT });
  return done;
}

/**
 * One upload; comes to the request when all of its answer is there, and `text` sees it grow.
 * fetch() cannot tell of an upload's progress.
 *
 * @returns {Promise<XMLHttpRequest>}
 */
function post(form, { path, signal, headers, upload, text = (_) => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const good = () => request.status >= 200 && request.status < 300;
    let begun = false; // the answer, of which nothing is left once it breaks off
    request.upload.onprogress = (event) => upload(event.loaded, event.total);
    request.onprogress = () => {
      begun = true;
      if (good()) text(request);
    };
    request.onload = () => {
      if (!good()) return void reject(errorOf(request.status, request.responseText));
      text(request);
      resolve(request);
    };
    request.onerror = async () => {
      if (!begun) return void reject(await unsent(form));
      reject(new ApiError("The server ended before it was done.", { code: CUT }));
    };
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) return void reject(new DOMException("cancelled", "AbortError"));
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(form);
  });
}

/** Why there was no answer: browsers give one error for a server and for a file that has gone. */
async function unsent(form) {
  try {
    await form.get("file").slice(0, 1).arrayBuffer();
  } catch {
    return new ApiError("This file was moved, changed or deleted since. Choose it again.");
  }
  return new ApiError("The connection was lost.", { code: UNREACHABLE });
}

/** An error from an answer's body, in either dialect, or none of ours: a proxy's page. */
function errorOf(status, body) {
  try {
    const answer = JSON.parse(body);
    return told(answer.error ?? { message: answer.detail }, status);
  } catch {
    return new ApiError(`The server answered with status ${status}.`, { status });
  }
}

/** An error in the server's words. */
export function told({ message, code = null }, status) {
  return new ApiError(String(message ?? `The server answered with status ${status}.`), {
    status,
    code,
  });
}
