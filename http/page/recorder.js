/** The microphone: a recording made here becomes a file like any other. */

import { byId } from "./dom.js";
import { clock, spoken } from "./figures.js";

const FORMATS = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const TICK_MS = 200;

export class Recorder {
  /** Whether somebody is being heard at this moment. */
  active = false;
  #made;
  #wrong;
  #say;
  #stop = () => {};
  #asking = false;

  /**
   * @param {{made: (file: File) => void, wrong: (message: string) => void,
   *   say: (message: string) => void}} tell
   */
  constructor({ made, wrong, say }) {
    [this.#made, this.#wrong, this.#say] = [made, wrong, say];
    byId("record").addEventListener("click", () => this.begin());
    byId("recording-stop").addEventListener("click", () => this.#stop(true));
    byId("recording-discard").addEventListener("click", () => this.#stop(false));
  }

  /** Ask for the microphone, and listen until the person has said enough. */
  async begin() {
    if (!navigator.mediaDevices || !globalThis.MediaRecorder) {
      this.#wrong("Browsers give the microphone to pages on localhost or HTTPS only.");
      return;
    }
    if (this.#asking) return;
    this.#asking = true;
    let sound;
    try {
      sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      const refused = error.name === "NotAllowedError";
      this.#wrong(refused ? "The microphone was not allowed." : "No microphone is to be had.");
      return;
    } finally {
      this.#asking = false;
    }
    this.#wrong("");
    this.#listen(sound);
  }

  #listen(sound) {
    const type = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    const recorder = new MediaRecorder(sound, type ? { mimeType: type } : {});
    const chunks = [];
    let wanted = true; // also where it ends by itself: the microphone may be unplugged
    const began = Date.now();
    const meter = loudness(sound);
    const show = () => {
      byId("recording-time").textContent = clock((Date.now() - began) / 1000);
      /** @type {HTMLMeterElement} */ (byId("recording-level")).value = meter.now();
    };
    const ticking = setInterval(show, TICK_MS);
    recorder.ondataavailable = (event) => chunks.push(event.data);
    recorder.onstop = () => {
      clearInterval(ticking);
      meter.end();
      for (const track of sound.getTracks()) track.stop();
      this.active = false;
      byId("recording").hidden = true;
      byId("record").hidden = byId("choose").hidden = false;
      if (wanted) this.#made(file(chunks, recorder.mimeType));
      this.#say(wanted ? `Recorded ${spoken((Date.now() - began) / 1000)}` : "Discarded");
    };
    this.#stop = (keep) => {
      wanted = keep;
      recorder.stop();
    };
    recorder.start(1000);
    this.active = true;
    show();
    byId("recording").hidden = false;
    byId("record").hidden = byId("choose").hidden = true;
    byId("recording-stop").focus();
    this.#say("Recording");
  }
}

/** How loud it is, from 0 to 1, so that people see that they are heard. */
function loudness(sound) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(sound).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    now() {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      return Math.min(1, Math.sqrt(power) * 4);
    },
    end: () => context.close(),
  };
}

function file(chunks, type) {
  const now = new Date();
  const at = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const extension = /^audio\/(\w+)/.exec(type)?.[1] ?? "webm";
  const name = `Recording ${at.slice(0, 10)} ${at.slice(11, 16).replace(":", ".")}.${extension}`;
  return new File(chunks, name, { type });
}
