/** The transcript to read: every word knows its moment, every passage can be corrected. */

import { el, iconButton, motion } from "./dom.js";
import { clock } from "./figures.js";
import { speakerButton } from "./speakers.js";
import { speakersOf, textOf } from "./transcript.js";

// After somebody has scrolled, the text does not run away from them for so long.
const HANDS_OFF_MS = 4000;

/** Events: "seek" (detail: seconds), "correct" ({index, before, text}), "rename" (a speaker). */
export class Lines extends EventTarget {
  element = el("div", {
    ...{ class: "lines", role: "group", "aria-label": "Transcript" },
    on: {
      click: (event) => this.#click(event),
      keydown: (event) => this.#key(event),
      focusin: (event) => event.target.matches(".word") && this.#reach(event.target),
    },
  });
  #transcript = null;
  /** @type {HTMLElement[]} */
  #words = [];
  #starts = [];
  #now = -1;
  /** @type {HTMLElement|null} */
  #reached = null;
  #touched = 0;
  /** Ends the correction that somebody writes. */
  #end = (_keep) => false;

  constructor() {
    super();
    const touch = () => (this.#touched = Date.now());
    for (const name of ["wheel", "touchmove"]) addEventListener(name, touch, { passive: true });
  }

  /** Show a transcript, or the same one after it was changed. */
  show(transcript) {
    this.finish();
    this.#transcript = transcript;
    const speakers = speakersOf(transcript);
    const all = document.createDocumentFragment();
    let speaker = null;
    transcript.segments.forEach((segment, index) => {
      if (segment.speaker !== null && segment.speaker !== speaker) {
        const who = speakerButton(transcript, segment.speaker, speakers);
        all.append(el("div", { class: "turn" }, who));
      }
      speaker = segment.speaker;
      all.append(line(segment, index));
    });
    this.element.replaceChildren(all);
    this.#gather();
  }

  /** Show one segment after it was corrected. */
  update(index) {
    const place = this.element.querySelector(`[data-segment="${index}"] .said`);
    place.replaceWith(passage(this.#transcript.segments[index]));
    this.#gather();
  }

  /** Take the correction that somebody writes as it is, while it is known what it belongs to. */
  finish() {
    return this.#end(true);
  }

  /** Text that came while the rest is still being decoded. */
  grow(pieces) {
    const props = { class: "said growing", dir: "auto" };
    const fresh = pieces.map((text) => el("p", props, text.trim()));
    this.element.append(...fresh);
  }

  clear() {
    this.element.replaceChildren();
    this.#gather();
  }

  /** The passages, for who searches them: their elements in order. */
  get passages() {
    return [...this.element.querySelectorAll(".said")];
  }

  /** Mark the word of a moment, and keep it in sight while it plays. */
  at(seconds, { follow }) {
    const place = before(this.#starts, seconds);
    if (place === this.#now) return;
    this.#words[this.#now]?.classList.remove("now");
    this.#now = place;
    const word = this.#words[place];
    if (!word) return;
    word.classList.add("now");
    if (follow && Date.now() - this.#touched > HANDS_OFF_MS) keepInSight(word);
  }

  #gather() {
    this.#words = [...this.element.querySelectorAll(".word")];
    this.#starts = this.#words.map((word) => Number(word.dataset.at));
    this.#now = -1;
    this.#reached = null;
    if (this.#words[0]) this.#reach(this.#words[0]);
  }

  /** One word at a time is on the way of the tab key; the arrows go on from there. */
  #reach(word) {
    this.#reached?.setAttribute("tabindex", "-1");
    this.#reached?.removeAttribute("role");
    word.setAttribute("tabindex", "0");
    word.setAttribute("role", "button");
    this.#reached = word;
  }

  #click(event) {
    const rename = event.target.closest("[data-rename]");
    const passage = event.target.closest(".said")?.closest(".line");
    const timed = event.target.closest("[data-at]") ?? passage?.querySelector(".stamp");
    if (rename) this.#tell("rename", rename.dataset.rename);
    else if (event.target.closest(".correct")) this.edit(event.target.closest("[data-segment]"));
    else if (timed && getSelection()?.isCollapsed !== false) {
      this.#tell("seek", Number(timed.dataset.at));
      if (timed.matches(".word")) this.#reach(timed);
    }
  }

  #key(event) {
    const word = event.target.closest(".word");
    if (!word || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = this.#words.indexOf(word);
    const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 };
    const lines = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };
    if (event.key in steps) this.#words.at(Math.max(-1, steps[event.key]))?.focus();
    else if (event.key in lines) this.#otherLine(word, lines[event.key]);
    else if (event.key === "Enter") this.#tell("seek", Number(word.dataset.at));
    else if (event.key === "e" || event.key === "F2") this.edit(word.closest("[data-segment]"));
    else return;
    event.preventDefault();
  }

  #otherLine(word, direction) {
    let line = word.closest("[data-segment]")[direction];
    while (line && !line.querySelector(".word")) line = line[direction];
    line?.querySelector(".word")?.focus();
  }

  /** Let somebody write in the place of a passage. */
  edit(place) {
    this.finish();
    const index = Number(place.dataset.segment);
    const shown = place.querySelector(".said");
    const before = textOf(this.#transcript.segments[index]);
    const text = before.trim();
    const field = /** @type {HTMLTextAreaElement} */ (
      el("textarea", { class: "said", dir: "auto", rows: 1, "aria-label": "Corrected text" }, text)
    );
    const end = (this.#end = (keep) => {
      if (this.#end !== end) return false;
      this.#end = () => false;
      const said = field.value.replace(/\s+/g, " ").trim();
      field.replaceWith(shown);
      place.classList.remove("editing");
      const corrected = keep && Boolean(said) && said !== text;
      if (corrected) this.#tell("correct", { index, before, text: said });
      return corrected;
    });
    field.addEventListener("blur", () => end(true));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      if (event.isComposing) return; // Enter there chooses a letter
      event.preventDefault();
      end(event.key === "Enter");
      this.element.querySelector(`[data-segment="${index}"] .correct`)?.focus();
    });
    shown.replaceWith(field);
    place.classList.add("editing");
    field.focus();
    field.setSelectionRange(text.length, text.length);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function line(segment, index) {
  const at = clock(segment.start);
  return el(
    "div",
    { class: "line", data: { segment: String(index) } },
    el(
      "button",
      {
        ...{ type: "button", class: "stamp figures", data: { at: String(segment.start) } },
        "aria-label": `${at}, go there`,
      },
      at,
    ),
    passage(segment),
    iconButton("pen", `Correct the passage at ${at}`, null, { class: "plain correct", on: {} }),
  );
}

function passage({ pieces }) {
  const words = pieces.flatMap(({ text, start }) => {
    if (start === undefined) return [text];
    const word = text.trimStart();
    return [text.slice(0, text.length - word.length), said(word, start)];
  });
  return el("p", { class: "said", dir: "auto" }, ...words.filter((part) => part !== ""));
}

/** A word. Made without el(): an hour has ten thousand of them. */
function said(text, start) {
  const word = document.createElement("span");
  word.className = "word";
  word.tabIndex = -1;
  word.dataset.at = String(start);
  word.textContent = text;
  return word;
}

/** The place of the last number that is not above `value`; -1 if all are. */
function before(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function keepInSight(word) {
  const { top, bottom } = word.getBoundingClientRect();
  if (top > innerHeight * 0.4 && bottom < innerHeight * 0.85) return;
  word.scrollIntoView({ block: "center", behavior: motion() });
}
