/** The picture of the sound: its peaks, whose turn it is by colour and by lane, where we are. */

import { el } from "./dom.js";
import { clock, spoken } from "./figures.js";
import { SPEAKER_COLOURS } from "./speakers.js";

// All in CSS pixels.
const BAR = 2;
const GAP = 1;
const LANE = 5;
const LANE_GAP = 3;
const LANES_MAX = 8; // more speakers share lanes
const QUIET_MAX = 12; // of 127: what is quieter is not drawn as if it were loud
const STEP_S = 5;
const PAGE_S = 30;

export class Wave {
  #canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { "aria-hidden": "true" }));
  #seek;
  #peaks = [];
  #turns = [];
  #speakers = [];
  #duration = 0;
  #loudest = QUIET_MAX;
  #time = 0;
  #colours = null;

  /** @param {(seconds: number) => void} seek */
  constructor(seek) {
    this.#seek = seek;
    this.element = el(
      "div",
      {
        ...{ class: "wave-box", role: "slider", tabindex: 0, "aria-label": "Position" },
        ...{ "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0 },
        on: {
          pointerdown: (event) => this.#drag(event),
          pointermove: (event) => event.buttons === 1 && this.#to(event),
          keydown: (event) => this.#key(event),
        },
      },
      this.#canvas,
    );
    new ResizeObserver(() => this.#draw()).observe(this.element);
    const repaint = () => {
      this.#colours = null;
      this.#draw();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    document.addEventListener("themechange", repaint);
  }

  /** Show another sound. Turns are {start, end, speaker} in seconds. */
  show({ peaks, duration, turns, speakers }) {
    [this.#peaks, this.#duration, this.#turns] = [peaks, duration, turns];
    this.#speakers = speakers;
    this.#loudest = peaks.reduce((most, peak) => Math.max(most, peak), QUIET_MAX);
    this.element.setAttribute("aria-valuemax", String(Math.round(duration)));
    this.element.style.setProperty("--lanes", String(Math.min(speakers.length, LANES_MAX)));
    this.at(0);
  }

  /** Show where we are, in seconds. */
  at(time) {
    this.#time = time;
    this.element.setAttribute("aria-valuenow", String(Math.round(time)));
    const text = `${spoken(time)} of ${spoken(this.#duration)}`;
    this.element.setAttribute("aria-valuetext", text);
    this.element.title = `${clock(time)} of ${clock(this.#duration)}`;
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const context = this.#canvas.getContext("2d");
    if (!width || !context) return;
    const scale = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.#canvas.width !== w || this.#canvas.height !== h) {
      [this.#canvas.width, this.#canvas.height] = [w, h];
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#colours ??= palette(this.element);
    const lanes = Math.min(this.#speakers.length, LANES_MAX);
    const room = height - lanes * (LANE + LANE_GAP);
    this.#bars(context, width, room);
    this.#lanes(context, width, room);
    const x = this.#duration ? (this.#time / this.#duration) * width : 0;
    context.globalAlpha = 1;
    context.fillStyle = this.#colours.ink;
    context.fillRect(Math.min(width - 1.5, Math.max(0, x - 0.75)), 0, 1.5, height);
  }

  #bars(context, width, height) {
    const bars = Math.floor(width / (BAR + GAP));
    const each = this.#peaks.length / bars;
    let turn = 0;
    for (let i = 0; i < bars; i += 1) {
      const [from, to] = [Math.floor(i * each), Math.max(1 + i * each, (i + 1) * each)];
      const peak = Math.max(0, ...this.#peaks.slice(from, to));
      const seconds = ((i + 0.5) / bars) * this.#duration;
      while (turn < this.#turns.length && this.#turns[turn].end < seconds) turn += 1;
      const now = this.#turns[turn];
      const speaker = now && now.start <= seconds ? this.#colour(now.speaker) : null;
      const size = Math.max(BAR, (peak / this.#loudest) * height);
      context.globalAlpha = seconds <= this.#time ? 1 : 0.45;
      context.fillStyle =
        speaker ?? (this.#turns.length ? this.#colours.quiet : this.#colours.accent);
      context.beginPath();
      context.roundRect(i * (BAR + GAP), (height - size) / 2, BAR, size, BAR / 2);
      context.fill();
    }
  }

  #lanes(context, width, top) {
    for (const { start, end, speaker } of this.#turns) {
      const lane = this.#speakers.indexOf(speaker) % LANES_MAX;
      const x = (start / this.#duration) * width;
      const length = Math.max(2, ((end - start) / this.#duration) * width);
      context.globalAlpha = 1;
      context.fillStyle = this.#colour(speaker);
      context.beginPath();
      context.roundRect(x, top + LANE_GAP + lane * (LANE + LANE_GAP), length, LANE, LANE / 2);
      context.fill();
    }
  }

  #colour(speaker) {
    return this.#colours.speakers[this.#speakers.indexOf(speaker) % SPEAKER_COLOURS];
  }

  #drag(event) {
    this.element.setPointerCapture(event.pointerId);
    this.#to(event);
  }

  #to(event) {
    const { left, width } = this.element.getBoundingClientRect();
    this.#seek(Math.max(0, Math.min(1, (event.clientX - left) / width)) * this.#duration);
  }

  #key(event) {
    const places = {
      ...{ ArrowLeft: this.#time - STEP_S, ArrowRight: this.#time + STEP_S },
      ...{ ArrowDown: this.#time - STEP_S, ArrowUp: this.#time + STEP_S },
      ...{ PageDown: this.#time - PAGE_S, PageUp: this.#time + PAGE_S },
      ...{ Home: 0, End: this.#duration },
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    this.#seek(places[event.key]);
  }
}

/** The style sheet's colours as a canvas understands them. */
function palette(element) {
  const probe = el("span", { hidden: true });
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const speakers = Array.from({ length: SPEAKER_COLOURS }, (_, i) => read(`--speaker-${i}`));
  const [ink, quiet, accent] = ["--ink", "--quiet", "--accent"].map(read);
  probe.remove();
  return { ink, quiet, accent, speakers };
}
