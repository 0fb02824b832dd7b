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

  /** An answer that is no error; asks the person for a key once the server wants one. */
  async response(path, init = {}) {
    for (;;) {
      const headers = { ...init.headers, ...this.#keys.headers() };
      const answer = await fetch(path, { ...init, headers }).catch(() => {
        throw new ApiError("The server cannot be reached.", { code: UNREACHABLE });
      });
      if (answer.ok) return answer;
      const error = errorOf(answer.status, await answer.text());
      if (error.status !== 401 || !(await this.#keys.ask(error.message))) throw error;
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
  async transcribe(form, about) {
    for (;;) {
      try {
        return await stream(form, { ...about, headers: this.#keys.headers() });
      } catch (error) {
        if (error.status !== 401 || !(await this.#keys.ask(error.message))) throw error;
      }
    }
  }
}

/** One upload, and the events that answer it. fetch() cannot tell of an upload's progress. */
function stream(form, { path, hear, signal, headers }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const reader = new EventReader();
    let seen = 0;
    let done = null;

    const listen = () => {
      if (request.status !== 200) return;
      const news = request.responseText.slice(seen);
      seen += news.length;
      for (const { name, data } of reader.feed(news)) {
        if (name === "error") reject(told(data.error ?? {}, 200));
        else if (name === "transcript.text.done") done = data;
        else hear.event(data);
      }
    };
    request.upload.onprogress = (event) => hear.upload(event.loaded, event.total);
    request.onprogress = listen;
    request.onload = () => {
      listen();
      if (request.status !== 200) reject(errorOf(request.status, request.responseText));
      else if (done) resolve(done);
      else reject(new ApiError("The server ended before it was done.", { code: CUT }));
    };
    request.onerror = () => {
      const code = seen ? CUT : UNREACHABLE;
      const message = seen ? "The server ended before it was done." : "The connection was lost.";
      reject(new ApiError(message, { code }));
    };
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) return void reject(new DOMException("cancelled", "AbortError"));
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(form);
  });
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

function told({ message, code = null }, status) {
  return new ApiError(String(message ?? `The server answered with status ${status}.`), {
    status,
    code,
  });
}
