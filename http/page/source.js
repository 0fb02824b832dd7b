/** Where files come from: chosen, dropped anywhere on the page, or pasted. */

import { byId, takesText } from "./dom.js";

export class Source {
  #given;

  /** @param {(files: File[]) => void} given */
  constructor(given) {
    this.#given = given;
    const input = /** @type {HTMLInputElement} */ (byId("files"));
    byId("choose").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.#take([...(input.files ?? [])]);
      input.value = ""; // so that the same file can be chosen again
    });
    addEventListener("paste", (event) => {
      if (takesText(event.target)) return; // tables come with a picture of themselves
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) this.#take(files);
    });
    this.#drops();
  }

  /** Say why there is no file. */
  wrong(why) {
    byId("drop-error").textContent = why;
  }

  #drops() {
    let inside = 0; // the pointer enters each element on its way
    const over = (change) => {
      inside = Math.max(0, inside + change);
      document.body.classList.toggle("dropping", inside > 0);
    };
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => holdsFiles(event) && over(1));
    addEventListener("dragleave", (event) => holdsFiles(event) && over(-1));
    addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      over(-inside);
      if (!holdsFiles(event)) return;
      event.preventDefault();
      this.#take([...event.dataTransfer.files]);
    });
  }

  #take(files) {
    const full = files.filter((file) => file.size > 0);
    this.wrong(full.length < files.length ? "Empty files were left out." : "");
    if (full.length) this.#given(full);
  }
}
