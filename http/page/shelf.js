/** The list of recordings beside the page: what waits, what is in work, what was kept. */

import { attribute, byId, el, iconButton } from "./dom.js";
import { clock, day } from "./figures.js";
import { WAITING } from "./recording.js";
import { progressOf, stateOf } from "./states.js";

export class Shelf {
  #recordings;
  #say;
  #open = "";

  /**
   * @param {import("./recordings.js").Recordings} recordings
   * @param {(message: string) => void} say
   */
  constructor(recordings, say) {
    [this.#recordings, this.#say] = [recordings, say];
    recordings.addEventListener("list", () => this.#list());
    recordings.addEventListener("change", ({ detail }) => this.#update(detail));
    recordings.addEventListener("forgotten", ({ detail: { id } }) => {
      if (id === this.#open) location.hash = "#/";
    });
    byId("shelf").addEventListener("click", (event) => this.#click(event));
  }

  /** Mark the one that is open; empty for none. */
  open(id) {
    this.#open = id;
    for (const link of byId("shelf").querySelectorAll("a")) this.#mark(link);
  }

  #mark(link) {
    const here = link.closest("li").dataset.id === this.#open;
    attribute(link, "aria-current", here ? "page" : null);
  }

  #list() {
    relist(byId("shelf"), this.#recordings.all);
    attribute(byId("shelf"), "aria-busy", null);
    byId("shelf-empty").hidden = this.#recordings.all.length > 0;
    for (const recording of this.#recordings.all) this.#update(recording);
  }

  #update(recording) {
    const { transcript, made, id } = recording;
    const kept = transcript ? `${day(made)} · ${clock(transcript.duration)}` : "";
    const found = update(byId("shelf"), id, recording, kept);
    if (found) this.#mark(found.querySelector("a"));
  }

  async #click(event) {
    const recording = this.#recordings.find(event.target.closest("li")?.dataset.id ?? "");
    if (!recording) return;
    if (event.target.closest(".cancel")) this.#recordings.cancel(recording);
    if (!event.target.closest(".forget")) return;
    if (recording.transcript && !(await sure(recording.name, "Delete this transcript?"))) return;
    await this.#recordings.forget(recording);
    this.#say("Deleted");
    /** @type {HTMLElement|null} */ (document.querySelector(".shelf .new"))?.focus();
  }
}

/** Have a list be of these, by id and name; what stays keeps the focus. */
export function relist(list, all) {
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const there = new Map(Array.from(list.children, (each) => [each.dataset.id, each]));
  list.replaceChildren(...all.map(({ id, name }) => there.get(id) ?? item(id, name)));
  if (list.contains(focused)) focused.focus();
}

/** One of a list, which says nothing yet. */
function item(id, name) {
  return el(
    "li",
    { data: { id } },
    el(
      "a",
      { href: `#/r/${id}` },
      el("span", { class: "name", dir: "auto" }, name),
      el("span", { class: "what quiet small" }),
      el("progress", { max: 1, hidden: true, "aria-label": `Progress of ${name}` }),
    ),
    iconButton("close", `Cancel ${name}`, null, { class: "plain cancel", on: {}, hidden: true }),
    iconButton("bin", `Delete ${name}`, null, { class: "plain forget", on: {}, hidden: true }),
  );
}

/** Have an item of a list say how it stands, or what it has come to; null if it is not there. */
export function update(list, id, recording, done) {
  const found = list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (!found) return null;
  const { state } = recording;
  const working = WAITING.has(state);
  found.querySelector(".what").textContent = state === "done" ? done : stateOf(recording);
  found.dataset.state = state;
  const bar = found.querySelector("progress");
  bar.hidden = !working || state === "waiting";
  attribute(bar, "value", progressOf(recording));
  const [shown, other] = working ? [".cancel", ".forget"] : [".forget", ".cancel"];
  found.querySelector(shown).hidden = false;
  const gone = found.querySelector(other);
  // To the name, not to the other button: a key that is held down would press that, too.
  if (gone === document.activeElement) found.querySelector("a").focus();
  gone.hidden = true;
  return found;
}

/** Ask before what cannot be taken back. */
export function sure(name, question) {
  const cancel = { type: "button", on: { click: () => dialog.close("") }, autofocus: true };
  const dialog = el(
    "dialog",
    { class: "panel small", "aria-labelledby": "sure-title" },
    el("h2", { id: "sure-title" }, question),
    el("p", { class: "quiet", dir: "auto" }, name),
    el(
      "form",
      { method: "dialog", class: "row end" },
      el("button", cancel, "Keep it"),
      el("button", { class: "primary danger", value: "delete" }, "Delete"),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "delete");
    });
  });
}
