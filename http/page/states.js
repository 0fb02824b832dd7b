/** What a recording is at, in sentences for people. */

import { CUT, UNREACHABLE } from "./api.js";
import { clock, count, left } from "./figures.js";

/** One line. */
export function stateOf(recording) {
  const { state, sent, place, doneS, audioS, leftS } = recording;
  const soon = leftS === null || leftS === undefined ? "" : `, ${left(leftS)}`;
  switch (state) {
    case "waiting":
      return "Waits for the one before it";
    case "uploading":
      return sent >= 1 ? "Uploaded" : `Uploading, ${Math.floor(sent * 100)} %`;
    case "queued":
      return place ? `Place ${place} in the queue${soon}` : `In the queue${soon}`;
    case "reading":
      return `Reading the audio${soon}`;
    case "transcribing":
      return audioS ? `Transcribing, ${clock(doneS)} of ${clock(audioS)}${soon}` : "Transcribing";
    case "cancelled":
      return "Cancelled";
    case "failed":
      return "Failed";
    default:
      return audioS ? count(Math.round(audioS), "second") : "";
  }
}

/** How far it is from 0 to 1, or null where nobody knows. */
export function progressOf({ state, sent, doneS, audioS }) {
  if (state === "uploading" && sent < 1) return sent;
  if (state === "transcribing" && audioS) return Math.min(1, doneS / audioS);
  return state === "waiting" ? 0 : null;
}

/** What went wrong and what may help; empty if nothing did. */
export function explained({ state, error }) {
  if (state !== "failed" || !error) return "";
  switch (error.code) {
    case CUT:
    case "engine_restarted":
      return "The server was restarted before it was done. The file is still here: send it again.";
    case "shutting_down":
      return "The server is shutting down. The file is still here: send it again in a moment.";
    case UNREACHABLE:
      return "The connection to the server was lost. The file is still here: send it again.";
    default:
      return error.message || "Something went wrong that has no name.";
  }
}
