/**
 * The recordings of this page: those that wait, the one that is sent, and those that are done.
 *
 * One at a time is sent: the server has other clients, and a person reads one after the other.
 *
 * @typedef {"waiting"|"uploading"|"queued"|"reading"|"transcribing"|"done"|"failed"|"cancelled"
 *   } State
 * @typedef {{id: string, name: string, bytes: number, made: number, state: State,
 *   options: Record<string, string>, file: Blob|null, sent: number, place: number|null,
 *   doneS: number, audioS: number|null, leftS: number|null, growing: string[],
 *   peaks: number[], transcript: import("./transcript.js").Transcript|null,
 *   error: import("./api.js").ApiError|null, notKept: string|null}} Recording
 */

import { fromAnswer } from "./transcript.js";

export const WAITING = new Set(["waiting", "uploading", "queued", "reading", "transcribing"]);
// Of a recording, what is kept.
const LASTING = ["id", "name", "bytes", "made", "options", "peaks", "transcript", "notKept"];
const [TRANSCRIPTIONS, TRANSLATIONS] = ["v1/audio/transcriptions", "v1/audio/translations"];
const BLANK = {
  ...{ file: null, sent: 0, place: null, doneS: 0, audioS: null, leftS: null },
  ...{ peaks: [], transcript: null, error: null, notKept: null },
};

/** Events: "list" (who is there), "change" and "growth" (of one), "lost" (with a reason). */
export class Recordings extends EventTarget {
  /** @type {Recording[]} */
  all = [];
  #api;
  #kept;
  #busy = false;
  /** @type {AbortController|null} */
  #sending = null;

  /** @param {import("./api.js").Api} api @param {import("./kept.js").Kept} kept */
  constructor(api, kept) {
    super();
    this.#api = api;
    this.#kept = kept;
  }

  /** What earlier visits left. */
  async restore() {
    try {
      const kept = await this.#kept.all();
      this.all.push(...kept.map((text) => ({ ...BLANK, growing: [], ...text, state: "done" })));
    } catch {
      this.#tell("lost", "This browser keeps nothing for this page: save what you want to keep.");
    }
    this.#tell("list");
  }

  find(id) {
    return this.all.find((recording) => recording.id === id) ?? null;
  }

  /** Have files transcribed, in order; comes to the first one. */
  add(files, options) {
    const fresh = [...files].map((file) => ({
      ...BLANK,
      ...{ id: name(), name: file.name, bytes: file.size, made: Date.now(), state: "waiting" },
      ...{ options, file, growing: [] },
    }));
    this.all.unshift(...fresh);
    this.#tell("list");
    this.#work();
    return fresh[0];
  }

  /** Have one sent again that failed or was cancelled. */
  again(recording) {
    Object.assign(recording, BLANK, { file: recording.file, state: "waiting", growing: [] });
    this.#tell("change", recording);
    this.#work();
  }

  /** Stop one, wherever it is; the server stops, too. */
  cancel(recording) {
    if (recording.state === "waiting") this.#now(recording, { state: "cancelled" });
    else if (WAITING.has(recording.state)) this.#sending?.abort();
  }

  /** Take one from the list, and out of what is kept. */
  async forget(recording) {
    this.cancel(recording);
    this.all = this.all.filter((other) => other !== recording);
    this.#tell("list");
    await this.#kept.forget(recording.id).catch(() => {});
  }

  /** Keep a transcript that was corrected, or whose speakers have other names. */
  async save(recording) {
    const text = Object.fromEntries(LASTING.map((name) => [name, recording[name]]));
    try {
      const gone = await this.#kept.put(text);
      if (gone.length) {
        this.all = this.all.filter(({ id }) => !gone.includes(id));
        this.#tell("list");
      }
    } catch {
      recording.notKept = "This browser has no room to keep it: save it as a file.";
    }
  }

  /** The audio of a recording, from this visit or an earlier one; null if it was not kept. */
  async audio(recording) {
    recording.file ??= await this.#kept.audio(recording.id).catch(() => null);
    return recording.file;
  }

  get working() {
    return this.all.some(({ state }) => WAITING.has(state));
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    let next;
    // The list has the newest first, but of files that came together the first one is above.
    while ((next = this.all.filter(({ state }) => state === "waiting").sort(earlier)[0])) {
      await this.#send(next);
    }
    this.#busy = false;
  }

  async #send(recording) {
    this.#sending = new AbortController();
    this.#now(recording, { state: "uploading" });
    try {
      const answer = await this.#api.transcribe(form(recording), {
        path: recording.options.task === "translate" ? TRANSLATIONS : TRANSCRIPTIONS,
        hear: {
          upload: (sent, all) => this.#now(recording, { sent: all ? sent / all : 0 }),
          event: (event) => this.#hear(recording, event),
        },
        signal: this.#sending.signal,
      });
      const { task, language } = recording.options;
      const about = { duration: recording.audioS, task, language };
      recording.transcript = fromAnswer(answer, about);
      await this.#keep(recording);
      this.#now(recording, { state: "done" });
    } catch (error) {
      const cancelled = error.name === "AbortError";
      this.#now(recording, cancelled ? { state: "cancelled" } : { state: "failed", error });
    }
  }

  #hear(recording, event) {
    if (event.type === "transcript.progress") {
      const { state, place, done_s: doneS, audio_s: audioS, left_s: leftS } = event;
      this.#now(recording, { state, place, doneS, audioS: audioS ?? recording.audioS, leftS });
    } else if (event.type === "transcript.waveform") {
      this.#now(recording, { peaks: event.peaks, audioS: event.duration });
    } else if (event.type === "transcript.text.delta") {
      recording.growing.push(event.delta);
      this.#tell("growth", recording);
    }
  }

  async #keep(recording) {
    try {
      const why = await this.#kept.putAudio(recording.id, recording.file);
      if (why) recording.notKept = `The audio will not be there another time: ${why}.`;
    } catch {
      recording.notKept = "The audio will not be there another time: the browser cannot keep it.";
    }
    await this.save(recording);
  }

  #now(recording, news) {
    Object.assign(recording, news);
    this.#tell("change", recording);
  }

  #tell(kind, detail = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** A recording as the form that asks for its transcript. */
function form(recording) {
  const { model, language, prompt, speakers } = recording.options;
  const fields = new FormData();
  const add = (name, value) => value && fields.append(name, value);
  add("model", model);
  add("language", language);
  add("prompt", prompt);
  add("diarize", speakers && "true");
  add("num_speakers", speakers === "some" ? "" : speakers);
  for (const name of ["stream", "progress"]) add(name, "true");
  add("timestamp_granularities[]", "word");
  fields.append("file", recording.file, recording.name);
  return fields;
}

function earlier(a, b) {
  return a.made - b.made;
}

function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
