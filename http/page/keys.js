/** The API key: asked for when the server wants one, and kept only where the person wants it. */

import { el } from "./dom.js";
import { recall, remember } from "./memory.js";

const NAME = "key";
// What a header can carry; browsers send no request with anything else.
const KEY = /^[!-~]+$/;
const UNUSABLE = "A key has letters, digits and signs of ASCII only, and no spaces.";

/** Tells "given" when there is a new one. */
export class Keys extends EventTarget {
  #key = usable(recall(NAME, null));
  /** @type {Promise<boolean>|null} */
  #asking = null;

  /** What requests carry. */
  headers() {
    return this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
  }

  /** Whether there is one. */
  get known() {
    return this.#key !== null;
  }

  /** Have none, now and another time. */
  forget() {
    this.#key = null;
    remember(NAME, null);
  }

  /** Ask the person, once however many requests want to know; false if they would not say. */
  ask(reason) {
    this.#asking ??= this.#dialog(reason).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  #dialog(reason) {
    const key = el("input", {
      ...{ type: "password", name: "key", required: true, autocomplete: "off", id: "key" },
      ...{ autofocus: true, "aria-describedby": "key-reason" },
      on: { input: () => key.setCustomValidity(usable(key.value) ? "" : UNUSABLE) },
    });
    const keep = el("input", { type: "checkbox", name: "keep" });
    const dialog = el(
      "dialog",
      { class: "panel small", "aria-labelledby": "key-title" },
      el("h2", { id: "key-title" }, "This server asks for a key"),
      el("p", { id: "key-reason", class: "quiet" }, reason),
      el(
        "form",
        { method: "dialog" },
        el("label", {}, "API key", key),
        el("label", { class: "check" }, keep, "Keep it in this browser"),
        el(
          "div",
          { class: "row end" },
          el("button", { type: "button", on: { click: () => dialog.close("") } }, "Not now"),
          el("button", { class: "primary", value: "use" }, "Use this key"),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        const given = dialog.returnValue === "use";
        if (given) {
          this.#key = usable(key.value);
          remember(NAME, keep.checked ? this.#key : null);
          this.dispatchEvent(new Event("given"));
        }
        dialog.remove();
        resolve(given);
      });
    });
  }
}

/** A key as it can be sent; null if it cannot. */
function usable(key) {
  const bare = String(key ?? "").trim();
  return KEY.test(bare) ? bare : null;
}
