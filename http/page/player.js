/** Plays a recording's audio, and tells what moment it is. */

import { byId, takesText } from "./dom.js";

const STEP_S = 5;
export const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

/** Events: "time" (while it plays, and after a jump), "state" (playing or not, or unplayable). */
export class Player extends EventTarget {
  #audio = new Audio();
  #url = "";
  /** Why it cannot be played, in a sentence; empty if it can. */
  trouble = "";
  /** Seconds, as the server measured it: files made by a microphone do not say. */
  duration = 0;

  constructor() {
    super();
    this.#audio.preload = "metadata";
    for (const name of ["play", "pause", "ended"]) {
      this.#audio.addEventListener(name, () => this.#state());
    }
    for (const name of ["seeked", "timeupdate"]) {
      this.#audio.addEventListener(name, () => this.#tell("time"));
    }
    this.#audio.addEventListener("error", () => {
      if (!this.#url) return;
      this.trouble = "This browser cannot play this kind of file. The transcript is not affected.";
      this.#state();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Have another recording ready, or none. */
  load(file, { duration, missing }) {
    this.#audio.pause();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = file ? URL.createObjectURL(file) : "";
    this.trouble = file ? "" : missing;
    this.duration = duration;
    if (file) this.#audio.src = this.#url;
    else {
      this.#audio.removeAttribute("src");
      this.#audio.load(); // or it goes on with the one that it had
    }
    this.#state();
  }

  get playing() {
    return !this.#audio.paused;
  }

  get ready() {
    return this.#url !== "" && !this.trouble;
  }

  /** Seconds from the beginning. */
  get time() {
    return this.ready ? this.#audio.currentTime : 0;
  }

  /** How fast it plays, 1 being as it was spoken. */
  set speed(speed) {
    this.#audio.playbackRate = speed;
    this.#audio.defaultPlaybackRate = speed; // for those that are loaded later
  }

  /** Go somewhere, in seconds. */
  seek(seconds) {
    if (!this.ready) return;
    this.#audio.currentTime = Math.max(0, Math.min(seconds, this.duration || seconds));
    this.#tell("time");
  }

  async toggle() {
    if (!this.ready) return;
    if (this.playing) this.#audio.pause();
    else await this.#audio.play().catch(() => this.#state());
  }

  /** Space plays and pauses, arrows go back and on, wherever those keys mean nothing else. */
  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId("reader").hidden || byId("transcribe").hidden || takesText(event.target)) return;
    const onButton = event.target instanceof Element && event.target.closest("button, a, summary");
    const steps = { ArrowLeft: -STEP_S, ArrowRight: STEP_S };
    if (event.key === " " && !onButton) this.toggle();
    else if (event.key in steps) this.seek(this.time + steps[event.key]);
    else return;
    event.preventDefault();
  }

  #state() {
    this.#tell("state");
    if (this.playing) this.#follow();
  }

  #follow() {
    this.#tell("time");
    if (this.playing) requestAnimationFrame(() => this.#follow());
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
