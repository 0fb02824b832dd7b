/** Files of a transcript: the server writes them, after what was corrected and renamed here. */

import { byId, el } from "./dom.js";
import { recall, remember } from "./memory.js";
import { asAnswer } from "./transcript.js";

const FORMATS = [
  ["txt", "Text", "txt"],
  ["srt", "SubRip subtitles", "srt"],
  ["vtt", "WebVTT subtitles", "vtt"],
  ["tsv", "Table", "tsv"],
  ["verbose_json", "JSON, with the times of words", "json"],
];
const SUBTITLES = new Set(["srt", "vtt"]);
const COUNTS = [
  ["max_line_width", "Characters a line", 10, 200],
  ["max_line_count", "Lines a cue", 1, 10],
  ["max_words_per_line", "Words a line", 1, 100],
  ["max_cue_seconds", "Seconds a cue", 1, 60],
];

export class Download {
  #api;
  #say;

  /** @param {import("./api.js").Api} api @param {(message: string) => void} say */
  constructor(api, say) {
    [this.#api, this.#say] = [api, say];
  }

  /** Ask which file is wanted, and make it. */
  open(recording) {
    const before = recall("download", { format: "srt", speakers: true });
    const speaks = recording.transcript.segments.some(({ speaker }) => speaker !== null);
    const note = el("p", { class: "wrong", role: "alert" });
    const act = (then) => ({ type: "button", on: { click: () => make(then) } });
    const form = el(
      "form",
      { method: "dialog" },
      formats(before.format),
      subtitles(before),
      speaks && check("speakers", "Say who speaks", before.speakers),
      note,
      el(
        "div",
        { class: "row end" },
        el("button", { type: "button", on: { click: () => dialog.close() } }, "Close"),
        el("button", act(copy), "Copy"),
        el("button", { ...act(save), class: "primary" }, "Download"),
      ),
    );
    const dialog = el(
      "dialog",
      { class: "panel", "aria-labelledby": "download-title" },
      el("h2", { id: "download-title" }, "Download"),
      form,
    );
    const make = async (then) => {
      if (!form.reportValidity()) return;
      const wanted = read(form);
      remember("download", wanted);
      try {
        const { text, warnings } = await this.#written(recording, wanted, speaks);
        await then(text, fileName(recording.name, wanted.format));
        const done = then === copy ? "Copied" : "Downloaded";
        this.#say(done);
        if (warnings.length) note.textContent = `${done}. ${warnings.join(". ")}.`;
        else dialog.close();
      } catch (error) {
        note.textContent = error.message;
      }
    };
    const show = () => {
      const { format } = read(form);
      const cues = form.querySelector(".cues");
      cues.hidden = cues.disabled = !SUBTITLES.has(format); // or what is not seen may be wrong
      if (speaks) form.elements.speakers.parentElement.hidden = format === "tsv";
    };
    form.addEventListener("input", show);
    const leave = () => dialog.close(); // for another view
    addEventListener("hashchange", leave);
    dialog.addEventListener("close", () => {
      removeEventListener("hashchange", leave);
      dialog.remove();
    });
    document.body.append(dialog); // what is hidden holds up all the rest
    show();
    dialog.showModal();
  }

  async #written(recording, { format, speakers, highlight_words: highlight, ...counts }, speaks) {
    const layout = SUBTITLES.has(format) ? { ...counts, highlight_words: highlight } : {};
    const transcript = asAnswer(recording.transcript);
    const named = speaks && speakers;
    const answer = await this.#api.post("v1/format", {
      ...{ transcript, format, speakers: named },
      ...layout,
    });
    const warnings = JSON.parse(answer.headers.get("Asr-Warnings") ?? "[]");
    return { text: await answer.text(), warnings };
  }
}

/** Put a text where it can be pasted from. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages without HTTPS are not given the clipboard, but may copy what is selected.
  const field = el("textarea", { class: "unseen" }, text);
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("This browser does not let pages copy.");
}

function save(text, name) {
  const url = URL.createObjectURL(new Blob([text]));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The recording's name with another ending. */
function fileName(name, format) {
  const extension = FORMATS.find(([id]) => id === format)[2];
  return `${name.replace(/\.[^.]{1,5}$/, "") || "transcript"}.${extension}`;
}

function formats(chosen) {
  return el(
    "fieldset",
    { class: "choices" },
    el("legend", {}, "Format"),
    ...FORMATS.map(([id, name, extension]) =>
      el(
        "label",
        {},
        el("input", {
          ...{ type: "radio", name: "format", value: id },
          ...{ checked: id === chosen, autofocus: id === chosen },
        }),
        el("span", {}, name, el("span", { class: "quiet" }, ` .${extension}`)),
      ),
    ),
  );
}

function subtitles(before) {
  return el(
    "fieldset",
    { class: "cues" },
    el("legend", {}, "Subtitles"),
    ...COUNTS.map(([name, label, min, max]) =>
      el(
        "label",
        {},
        label,
        el("input", {
          ...{ type: "number", name, min, max, step: name === "max_cue_seconds" ? 0.5 : 1 },
          ...{ value: before[name] ?? "", placeholder: "Any", inputmode: "decimal" },
        }),
      ),
    ),
    check("highlight_words", "Underline the word that is spoken", before.highlight_words),
  );
}

function check(name, label, checked) {
  return el("label", { class: "check" }, el("input", { type: "checkbox", name, checked }), label);
}

function read(form) {
  const { format, speakers, highlight_words: highlight } = form.elements;
  const counts = COUNTS.map(([name]) => [name, form.elements[name].valueAsNumber]);
  return {
    format: format.value,
    speakers: speakers?.checked ?? true,
    highlight_words: highlight.checked,
    ...Object.fromEntries(counts.filter(([, value]) => Number.isFinite(value))),
  };
}
