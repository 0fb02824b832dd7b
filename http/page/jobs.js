/**
 * The jobs of the server: how they stand, asked for every now and then, and one heard as it goes.
 *
 * @typedef {{id: string, state: "queued"|"running"|"done"|"failed"|"cancelled", place: number|null,
 *   created_at: number, audio_s: number|null, done_s: number, left_s: number|null,
 *   language: string|null, task: string|null, file_name: string|null,
 *   error: {message: string, code: string|null}|null}} Job
 */

import { EventReader } from "./events.js";

const BUSY_MS = 2000;
const CALM_MS = 15_000;
const PAUSE_MAX_MS = 30_000;
const PATIENCE_MS = 30_000; // a server that hangs says nothing: else it does every ten seconds
const RESULT_MS = 300_000; // what is large may be slow
const PICTURE_MS = 10_000;
const PAGE = 100;
const PATH = "v1/jobs";

/** The server's own words for a job that it does not have; a proxy's 404 is not that. */
export const NO_JOB = "job_not_found";

export const ENDED = new Set(["done", "failed", "cancelled"]);

/** Events: "list" (it was asked for again). */
export class Jobs extends EventTarget {
  /** Newest first. @type {Job[]} */
  all = [];
  /** Whether this server has jobs at all; null as long as it was not asked. @type {boolean|null} */
  available = null;
  #api;
  #timer = 0;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Ask now, and from now on every now and then, as long as somebody sees the page. */
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    await this.#list({ quiet: true, signal }).catch(() => {}); // what was known may still be so
    clearTimeout(this.#timer);
    const busy = this.all.some(({ state }) => !ENDED.has(state));
    this.#timer = setTimeout(() => this.look(), busy ? BUSY_MS : CALM_MS);
    this.dispatchEvent(new Event("list"));
  }

  /** Whether this server has jobs: for whoever cannot wait for the next look. */
  async offered() {
    if (this.available === null) await this.#list();
    return this.available;
  }

  async #list(init = {}) {
    try {
      const { data } = await this.#api.json(`${PATH}?limit=${PAGE}`, init);
      [this.all, this.available] = [data, true];
    } catch (error) {
      // 404: the server is older than jobs. Anything else passes.
      if (error.code !== "no_jobs" && error.status !== 404) throw error;
      [this.all, this.available] = [[], false];
    }
  }

  /** One that may be too old for the list; null if there is none. @returns {Promise<Job|null>} */
  async one(id) {
    const listed = this.all.find((job) => job.id === id);
    if (listed) return listed;
    return this.#api.json(at(id), { quiet: true }).catch((error) => {
      if (error.code === NO_JOB) return null;
      throw error;
    });
  }

  /** Have a file done as a job: see Api.submit. @returns {Promise<Job>} */
  async submit(form, about) {
    const job = await this.#api.submit(form, { path: PATH, ...about });
    this.look();
    return job;
  }

  /** What a job has brought. */
  result(id) {
    const about = { quiet: true, signal: AbortSignal.timeout(RESULT_MS) };
    return this.#api.json(`${at(id)}/result?format=verbose_json`, about);
  }

  /** The picture of a job's sound, which is one of its events; null if it cannot be had. */
  async picture(id) {
    let found = null;
    const hear = (kind, data) => {
      if (kind === "waveform") found = data;
    };
    await this.follow(id, hear, { signal: AbortSignal.timeout(PICTURE_MS) });
    return found;
  }

  /** End a job that has not ended, and never delete one that has. */
  async cancel(id) {
    await this.#api.response(`${at(id)}?only=cancel`, { method: "DELETE" });
    await this.look();
  }

  /** Leave nothing of a job at the server; one that is at work is cancelled first. */
  async forget(id) {
    const end = () => this.#api.json(at(id), { method: "DELETE" });
    try {
      if (!(await end()).deleted) await end();
    } catch (error) {
      if (error.code !== NO_JOB) throw error;
    }
    await this.look();
  }

  /**
   * Hear what has happened to a job since the event of that number and what happens, to its end or
   * the signal's, however often the line breaks.
   *
   * @param {string} id
   * @param {(name: string, data: any, last: string) => void} hear
   * @param {{signal: AbortSignal, last?: string}} about
   */
  async follow(id, hear, { signal, last = "0" }) {
    let pause = 0;
    const told = ({ name, id: number, data }) => {
      if (number) [last, pause] = [number, 0];
      hear(name, data, last);
      return ENDED.has(name);
    };
    while (!signal.aborted) {
      try {
        if (await this.#listen(id, last, told, signal)) return;
      } catch (error) {
        if (error.status >= 400 && error.status < 500) return;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(PAUSE_MAX_MS, 2 * pause || 1000);
    }
  }

  /** One stream of events, as long as it says anything; whether that was all there will be. */
  async #listen(id, last, told, signal) {
    const line = new AbortController();
    const cut = () => line.abort();
    let silence = setTimeout(cut, PATIENCE_MS);
    signal.addEventListener("abort", cut);
    const headers = { Accept: "text/event-stream", "Last-Event-ID": last };
    const about = { headers, signal: line.signal, quiet: true };
    try {
      const answer = await this.#api.response(`${at(id)}/events`, about);
      if (!answer.body || answer.status === 204) return true;
      const stream = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const reader = new EventReader();
      for (;;) {
        const { value, done } = await stream.read();
        clearTimeout(silence);
        silence = setTimeout(cut, PATIENCE_MS);
        if (done) return false;
        if (reader.feed(value).map(told).includes(true)) return true;
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", cut);
      cut();
    }
  }
}

/** How a job stands, in the words of a recording. @param {Job} job */
export function standing({ state, place, done_s: doneS, audio_s: audioS, left_s: leftS, error }) {
  const working = audioS ? "transcribing" : "reading";
  return { state: state === "running" ? working : state, place, doneS, audioS, leftS, error };
}

/** What a job is called. */
export function nameOf({ file_name: name }) {
  return name || "Without a name";
}

function at(id) {
  return `${PATH}/${encodeURIComponent(id)}`;
}
