/**
 * A recording: a file on its way to its transcript, or a job of the server's that was opened here.
 *
 * @typedef {"waiting"|"uploading"|"queued"|"reading"|"transcribing"|"done"|"failed"|"cancelled"
 *   } State
 * @typedef {{id: string, name: string, bytes: number, made: number, state: State,
 *   options: Record<string, string>, file: Blob|null, sent: number, place: number|null,
 *   doneS: number, audioS: number|null, leftS: number|null, growing: string[],
 *   peaks: number[], transcript: import("./transcript.js").Transcript|null,
 *   error: {message: string, code: string|null}|null, revision: number,
 *   notKept: string|null, audioLost: string|null, job: string|null, mine: boolean,
 *   key: string|null, bringing: boolean, last: string}} Recording
 *   revision: how often it was kept; notKept, audioLost: why its last change is not, its audio;
 *   mine: its job was made here; key: what makes it one job, however often it is sent;
 *   last: the number of the last event that was heard of its job
 */

import { nameOf } from "./jobs.js";

export const WAITING = new Set(["waiting", "uploading", "queued", "reading", "transcribing"]);
// Of a recording, what is kept.
const LASTING = [
  ...["id", "name", "bytes", "made", "options", "peaks", "transcript", "job", "mine"],
];
// Of one whose job has told nothing yet.
const UNHEARD = {
  ...{ place: null, doneS: 0, leftS: null, error: null },
  ...{ key: null, bringing: false, last: "0" },
};
const BLANK = {
  ...UNHEARD,
  ...{ file: null, sent: 0, audioS: null, peaks: [], transcript: null },
  ...{ revision: 0, notKept: null, audioLost: null, job: null, mine: true },
};

/** One of a file that was just given. @returns {Recording} */
export function fresh(file, options) {
  const about = { id: name(), name: file.name, bytes: file.size, made: Date.now() };
  return { ...BLANK, ...about, options, file, growing: [], state: "waiting" };
}

/** One of an earlier visit: what is not done yet is at the server. @returns {Recording} */
export function restored(text) {
  const state = text.transcript ? "done" : "queued";
  return { ...BLANK, growing: [], revision: 1, ...text, notKept: null, state };
}

/**
 * How one stands by what another tab has kept of it; null if that is no news here. What this tab is
 * sending stays its own; a job that is another one was sent again.
 */
export function elsewhere({ job: ours, state: at }, { transcript, peaks, revision, job }) {
  if (transcript) return { transcript, peaks, revision, job, state: "done" };
  if (!job || job === ours || (WAITING.has(at) && !ours)) return null;
  return { ...UNHEARD, growing: [], job, revision, state: "queued" };
}

/** One of a job that was not made here. @returns {Recording} */
export function found(job) {
  const { id, task, language, created_at: seconds } = job;
  const options = { task: task ?? "", language: language ?? "" };
  const about = { id, job: id, mine: false, name: nameOf(job), bytes: 0, made: seconds * 1000 };
  return { ...BLANK, ...about, options, growing: [], state: "queued" };
}

/** Have it be as it was before it was sent. A key is used again if no job came of it. */
export function again(recording) {
  const { file, job, key, revision } = recording;
  const kept = { file, key: job ? null : key, revision, growing: [] };
  Object.assign(recording, BLANK, kept, { state: "waiting" });
}

/** What an event says of how one stands; null if it says nothing of that. */
export function newsOf({ audioS: known, doneS: before }, kind, event) {
  if (kind === "waveform") return { peaks: event.peaks, audioS: event.duration };
  if (kind === "failed" || kind === "cancelled") return { state: kind, error: event.error ?? null };
  if (kind !== "progress") return null;
  const { state: at, place, done_s: doneS, audio_s: audioS, left_s: leftS } = event;
  const state = at === "finished" ? "transcribing" : at;
  return { state, place, doneS: doneS ?? before, audioS: audioS ?? known, leftS };
}

/** What is kept of it. */
export function lasting(recording) {
  return Object.fromEntries(LASTING.map((name) => [name, recording[name]]));
}

/** The one that is sent next. The newest is first, but of those that came together the first. */
export function nextOf(all) {
  return all.filter(({ state }) => state === "waiting").sort(earlier)[0];
}

/** For sorting: the oldest first. */
export function earlier(a, b) {
  return a.made - b.made;
}

/** A name that nothing else has. */
export function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
