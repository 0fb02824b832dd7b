/** The list of the server's other jobs: those of programs, of other people, of other browsers. */

import { byId } from "./dom.js";
import { clock, day } from "./figures.js";
import { nameOf, standing } from "./jobs.js";
import { relist, sure, update } from "./shelf.js";

const SHOWN_MAX = 50;

export class JobShelf {
  #jobs;
  #recordings;
  #say;
  #shown = "";

  /**
   * @param {import("./jobs.js").Jobs} jobs
   * @param {import("./recordings.js").Recordings} recordings
   * @param {(message: string) => void} say
   */
  constructor(jobs, recordings, say) {
    [this.#jobs, this.#recordings, this.#say] = [jobs, recordings, say];
    for (const source of [jobs, recordings]) source.addEventListener("list", () => this.#list());
    byId("jobs-list").addEventListener("click", (event) => this.#click(event));
  }

  #list() {
    const others = this.#jobs.all.filter(({ id }) => !this.#recordings.find(id));
    const jobs = others.slice(0, SHOWN_MAX);
    byId("jobs").hidden = !jobs.length;
    const shown = jobs.map(({ id }) => id).join();
    if (shown !== this.#shown) {
      relist(byId("jobs-list"), jobs.map((job) => ({ id: job.id, name: nameOf(job) })));
    }
    this.#shown = shown;
    for (const job of jobs) {
      const stands = { sent: 1, ...standing(job) };
      const about = [day(job.created_at * 1000), job.audio_s ? clock(job.audio_s) : ""];
      const done = about.filter(Boolean).join(" · ");
      update(byId("jobs-list"), job.id, stands, done);
    }
  }

  async #click(event) {
    const id = event.target.closest("li")?.dataset.id;
    const job = this.#jobs.all.find((each) => each.id === id);
    const cancels = event.target.closest(".cancel");
    if (!job || !(cancels || event.target.closest(".forget"))) return;
    const name = nameOf(job);
    try {
      if (cancels) await this.#jobs.cancel(id);
      else if (await sure(name, "Delete this job from the server?")) await this.#jobs.forget(id);
      else return;
      this.#say(cancels ? `${name}: cancelled` : "Deleted");
    } catch (error) {
      this.#say(error.message);
    }
    /** @type {HTMLElement|null} */ (document.querySelector(".shelf .new"))?.focus();
  }
}
