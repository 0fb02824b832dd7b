/** One recording, open: what it is at, its sound, its text, and what can be done with them. */

import { attribute, byId, el, icon, renew } from "./dom.js";
import { copy } from "./download.js";
import { corrected } from "./correct.js";
import { clock, count } from "./figures.js";
import { Lines } from "./lines.js";
import { languageName } from "./options.js";
import { SPEEDS } from "./player.js";
import { Search } from "./search.js";
import { askForName, speakerButton } from "./speakers.js";
import { explained, progressOf, stateOf } from "./states.js";
import { plainText, speakersOf, textOf, turnsOf, wordCount } from "./transcript.js";
import { Wave } from "./wave.js";

const SHOWN_MS = 2000;
const AUDIO_GONE = "The audio of this recording was not kept, so it cannot be played.";
const AUDIO_ELSEWHERE = "It was not sent from this browser, so it cannot be played here.";

export class Reader {
  #recordings;
  #player;
  #download;
  #say;
  /** @type {import("./recordings.js").Recording|null} */
  #open = null;
  #grown = 0;
  #lines = new Lines();
  #search = new Search(this.#lines);
  #wave;
  #parts = {};

  /**
   * @param {{recordings: import("./recordings.js").Recordings,
   *   player: import("./player.js").Player, download: import("./download.js").Download,
   *   say: (message: string) => void}} house
   */
  constructor({ recordings, player, download, say }) {
    [this.#recordings, this.#player, this.#download, this.#say] = [
      ...[recordings, player, download, say],
    ];
    this.#wave = new Wave((seconds) => player.seek(seconds));
    byId("reader").append(...this.#build());
    player.addEventListener("time", () => this.#time());
    player.addEventListener("state", () => this.#playing());
    recordings.addEventListener("change", ({ detail }) => detail === this.#open && this.#changed());
    recordings.addEventListener("growth", ({ detail }) => detail === this.#open && this.#grow());
    this.#lines.addEventListener("seek", ({ detail }) => this.#seek(detail));
    this.#lines.addEventListener("correct", ({ detail }) => this.#correct(detail));
    this.#lines.addEventListener("rename", ({ detail }) => this.#rename(detail));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Take what is being written as it is; whether that corrects anything. */
  finish() {
    return this.#lines.finish();
  }

  /** Show a recording, or none. */
  async open(recording) {
    if (recording === this.#open) return;
    this.finish();
    this.#open = recording;
    byId("reader").hidden = recording === null;
    this.#search.clear();
    this.#lines.clear();
    this.#grown = 0;
    this.#parts.shown = this.#parts.of = null;
    this.#player.load(null, { duration: 0, missing: "" });
    if (!recording) return;
    this.#changed();
    const file = await this.#recordings.audio(recording);
    if (this.#open !== recording) return;
    this.#showState(); // it may be sent again, now that it is here
    const duration = recording.transcript?.duration ?? recording.audioS ?? 0;
    const missing = recording.mine ? AUDIO_GONE : AUDIO_ELSEWHERE;
    this.#player.load(file, { duration, missing });
  }

  #build() {
    const part = (name, element) => (this.#parts[name] = element);
    const act = (click) => ({ type: "button", on: { click } });
    const toggle = act(() => this.#player.toggle());
    const play = part("play", el("button", { ...toggle, class: "round" }));
    const speeds = SPEEDS.map((speed) =>
      el("option", { value: speed, selected: speed === 1 }, `${speed}×`),
    );
    const setSpeed = (event) => (this.#player.speed = Number(event.target.value));
    const speed = { "aria-label": "Speed", class: "speed", on: { change: setSpeed } };
    return [
      el(
        "header",
        {},
        part("title", el("h1", { id: "reader-title", dir: "auto", tabindex: "-1" })),
        part("about", el("p", { class: "quiet" })),
      ),
      part("state", el("div", { class: "state", hidden: true })),
      part(
        "sound",
        el(
          "div",
          { class: "sound", role: "group", "aria-label": "Player" },
          this.#wave.element,
          el(
            "div",
            { class: "row" },
            play,
            part("clock", el("span", { class: "figures clock" })),
            part("unplayable", el("span", { class: "quiet unplayable", role: "status" })),
            part("speed", el("select", speed, ...speeds)),
          ),
          part("notKept", el("p", { class: "wrong", role: "alert" })),
        ),
      ),
      part("speakers", el("div", { class: "speakers", role: "group", "aria-label": "Speakers" })),
      part("tools", this.#tools(act)),
      this.#lines.element,
      part("notes", el("div", { class: "notes" })),
    ];
  }

  #tools(act) {
    return el(
      "div",
      { class: "tools", hidden: true },
      this.#search.element,
      el("button", act((event) => this.#copy(event)), icon("copy"), el("span", {}, "Copy")),
      el(
        "button",
        { ...act(() => this.#download.open(this.#open)), id: "download" },
        icon("save"),
        "Download",
      ),
    );
  }

  #changed() {
    const { name, state, transcript, peaks, audioS, notKept } = this.#open;
    const parts = this.#parts;
    parts.title.textContent = name;
    this.#showState();
    const duration = transcript?.duration ?? audioS ?? 0;
    this.#player.duration = duration;
    parts.sound.hidden = !(peaks.length || transcript);
    if (parts.notKept.textContent !== (notKept ?? "")) parts.notKept.textContent = notKept;
    if (parts.shown !== peaks || parts.of !== transcript) {
      [parts.shown, parts.of] = [peaks, transcript];
      this.#picture();
      if (transcript) renew(byId("reader"), () => this.#whole());
    }
    if (!transcript) this.#grow();
    parts.tools.hidden = parts.speakers.hidden = !transcript;
    const about = [duration ? clock(duration) : "", languageName(transcript?.language)];
    if (transcript) about.push(count(wordCount(transcript), "word"));
    parts.about.textContent = about.filter(Boolean).join(" · ");
    if (state === "done") this.#notes();
    else parts.notes.replaceChildren();
    this.#time();
  }

  #picture() {
    const { transcript, peaks, audioS } = this.#open;
    this.#wave.show({
      peaks,
      duration: transcript?.duration ?? audioS ?? 0,
      turns: transcript ? turnsOf(transcript) : [],
      speakers: transcript ? speakersOf(transcript) : [],
    });
  }

  #whole() {
    const { transcript } = this.#open;
    const speakers = speakersOf(transcript);
    this.#parts.speakers.replaceChildren(
      ...speakers.map((speaker) => speakerButton(transcript, speaker, speakers)),
    );
    for (const button of this.#parts.speakers.children) {
      button.addEventListener("click", () => this.#rename(button.dataset.rename));
    }
    this.#lines.show(transcript);
    this.#search.update();
  }

  #showState() {
    const { state, file } = this.#open;
    const box = this.#parts.state;
    if (state === "done" && box.contains(document.activeElement)) this.#parts.title.focus();
    box.hidden = state === "done";
    const failed = state === "failed" || state === "cancelled";
    const last = `${failed} ${failed && file !== null}`;
    if (box.dataset.of !== last) {
      box.dataset.of = last;
      const again = () => this.#recordings.again(this.#open);
      const cancel = () => this.#recordings.cancel(this.#open);
      const click = failed ? again : cancel;
      const button = { type: "button", on: { click } };
      const parts = [
        el("p", { class: failed ? "wrong" : "" }),
        !failed && el("progress", { max: 1, "aria-label": "Progress" }),
        !(failed && !file) && el("button", button, failed ? "Send again" : "Cancel"),
      ];
      renew(box, () => box.replaceChildren(...parts.filter(Boolean)));
    }
    box.querySelector("p").textContent = explained(this.#open) || stateOf(this.#open);
    const bar = box.querySelector("progress");
    if (bar) attribute(bar, "value", progressOf(this.#open));
  }

  #grow() {
    const { growing, transcript } = this.#open;
    if (transcript) return;
    if (growing.length < this.#grown) {
      this.#lines.clear(); // it is sent again
      this.#grown = 0;
    }
    this.#lines.grow(growing.slice(this.#grown));
    this.#grown = growing.length;
  }

  #notes() {
    const { transcript, audioLost } = this.#open;
    const nothing = transcript.segments.length ? [] : ["Nobody is heard to speak in it."];
    const said = [...nothing, ...(audioLost ? [audioLost] : []), ...transcript.warnings];
    const items = said.map((note) => el("li", { dir: "auto" }, note));
    this.#parts.notes.replaceChildren(...(items.length ? [el("ul", {}, ...items)] : []));
  }

  #time() {
    if (!this.#open) return;
    const { time, duration, playing } = this.#player;
    this.#parts.clock.textContent = `${clock(time)} / ${clock(duration)}`;
    this.#wave.at(time);
    if (this.#open.transcript) this.#lines.at(time, { follow: playing });
  }

  #playing() {
    const { playing, ready, trouble } = this.#player;
    const { play, unplayable, speed } = this.#parts;
    play.replaceChildren(icon(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.disabled = speed.disabled = !ready;
    unplayable.textContent = trouble;
    if (playing) this.#time();
  }

  #seek(seconds) {
    this.#player.seek(seconds);
    this.#lines.at(seconds, { follow: false });
  }

  async #correct({ index, before, text }) {
    const correct = ({ segments }) => {
      const fits = segments[index] && textOf(segments[index]) === before;
      if (fits) segments[index] = corrected(segments[index], text);
      return fits;
    };
    const edited = this.#recordings.edit(this.#open, correct);
    this.#lines.update(index);
    this.#search.update(index);
    if (await edited) this.#say("Corrected");
  }

  async #rename(speaker) {
    const recording = this.#open;
    const name = await askForName(recording.transcript, speaker);
    if (name === null || recording !== this.#open) return;
    const rename = ({ names }) => {
      names[speaker] = name;
      return true;
    };
    const edited = this.#recordings.edit(recording, rename);
    renew(byId("reader"), () => this.#whole());
    if (await edited) this.#say(`Renamed to ${name}`);
  }

  async #copy({ currentTarget }) {
    const label = currentTarget.querySelector("span");
    const text = plainText(this.#open.transcript);
    const done = await copy(text).then(() => "Copied", () => "No leave");
    this.#say(done === "Copied" ? done : "This browser does not let pages copy.");
    label.textContent = done;
    setTimeout(() => (label.textContent = "Copy"), SHOWN_MS);
  }

  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "f" || event.shiftKey) return;
    if (byId("reader").hidden || this.#parts.tools.hidden || byId("transcribe").hidden) return;
    if (document.activeElement?.closest(".search")) return; // a second time: the browser's own
    event.preventDefault();
    this.#search.focus();
  }
}
