/**
 * The recordings of this page: those that wait, the one that is sent, and those that are done.
 *
 * One at a time is sent: the server has other clients, and a person reads one after the other. It
 * is sent as a job where the server has those and the person wants that: then it is followed from
 * wherever the page is opened again. Jobs of others become recordings when they are opened.
 */

import { jobForm, streamForm } from "./form.js";
import { NO_JOB, standing } from "./jobs.js";
import { WAITING, again, earlier, elsewhere, found } from "./recording.js";
import { fresh, name, newsOf, nextOf, restored } from "./recording.js";
import { fromAnswer } from "./transcript.js";

const GONE = { message: "The server has deleted this job. Send it again.", code: null };

/** Events: "list", "change", "growth" and "forgotten" (of one), "lost" (with a reason). */
export class Recordings extends EventTarget {
  /** Newest first. @type {import("./recording.js").Recording[]} */
  all = [];
  #api;
  #keeping;
  #jobs;
  #busy = false;
  /** @type {AbortController|null} */
  #sending = null;
  /** The one that somebody looks at. @type {import("./recording.js").Recording|null} */
  #seen = null;
  /** @type {AbortController|null} */
  #hearing = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./keeping.js").Keeping} keeping
   * @param {import("./jobs.js").Jobs} jobs
   */
  constructor(api, keeping, jobs) {
    super();
    [this.#api, this.#keeping, this.#jobs] = [api, keeping, jobs];
    keeping.addEventListener("other", ({ detail }) => this.#other(detail));
    jobs.addEventListener("list", () => this.#compare());
    // A browser has few lines to a server, for all tabs together.
    document.addEventListener("visibilitychange", () => document.hidden && this.#leave());
  }

  /** What earlier visits left. */
  async restore() {
    try {
      const kept = (await this.#keeping.all()).map(restored);
      this.all.push(...kept.filter(({ id }) => !this.find(id))); // another tab may be at work
    } catch {
      this.#tell("lost", "This browser keeps nothing for this page: save what you want to keep.");
    }
    this.#tell("list");
  }

  /** By its own name, or that of its job. */
  find(id) {
    return this.all.find((recording) => recording.id === id || recording.job === id) ?? null;
  }

  /** Have files transcribed, in order; comes to the first one. */
  add(files, options) {
    const all = [...files].map((file) => fresh(file, options));
    this.all.unshift(...all);
    this.#tell("list");
    this.#work();
    return all[0];
  }

  /** Have a job of the server here as well. @param {import("./jobs.js").Job} job */
  adopt(job) {
    const recording = found(job);
    this.#join(recording);
    this.#keeping.put(recording);
    this.#stand(recording, job);
    return recording;
  }

  /** Have one sent again that failed or was cancelled. */
  again(recording) {
    const { job, mine } = recording;
    if (job && mine) this.#jobs.forget(job).catch(() => {}); // it is deleted one day all the same
    this.#leave();
    again(recording);
    this.#tell("change", recording);
    this.#work();
  }

  /** Stop one, wherever it is; the server stops, too. */
  cancel(recording) {
    if (recording.state === "waiting") this.#now(recording, { state: "cancelled" });
    else if (!WAITING.has(recording.state)) return;
    // Where that fails the page says above what is wrong with the server.
    else if (recording.job) this.#jobs.cancel(recording.job).catch(() => {});
    else this.#sending?.abort();
  }

  /** Take one from the list, out of what is kept, and from the server if it was sent from here. */
  async forget(recording) {
    const { id, job, mine } = recording;
    if (!job) this.cancel(recording);
    await this.#keeping.forget(id);
    this.#drop(recording);
    if (job && mine) await this.#jobs.forget(job).catch(() => {});
  }

  /** Change a transcript, as `change` does and says that it can; comes to whether that is kept. */
  async edit(recording, change) {
    const kept = await this.#keeping.edit(recording, change);
    this.#tell("change", recording);
    return kept;
  }

  /** The audio of a recording, from this visit or an earlier one; null if it was not kept. */
  async audio(recording) {
    recording.file ??= await this.#keeping.audio(recording.id);
    return recording.file;
  }

  /** Hear everything of a recording while somebody looks at it; null: of none. */
  watch(recording) {
    if (recording === this.#seen) return;
    this.#seen = recording;
    this.#leave();
    this.#follow();
  }

  /** Whether audio would be lost if the page were closed: this tab alone is sure to have it. */
  get working() {
    return this.all.some(({ file, transcript, job }) => file && !transcript && !job);
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    let next;
    while ((next = nextOf(this.all))) await this.#send(next);
    this.#busy = false;
  }

  async #send(recording) {
    this.#sending = new AbortController();
    this.#now(recording, { state: "uploading" });
    const about = {
      hear: {
        upload: (sent, all) => this.#now(recording, { sent: all ? sent / all : 0 }),
        event: (event) => this.#hear(recording, event.type.replace("transcript.", ""), event),
      },
      signal: this.#sending.signal,
    };
    try {
      const leaves = recording.options.leave && (await this.#jobs.offered());
      await (leaves ? this.#submit(recording, about) : this.#stay(recording, about));
    } catch (error) {
      const cancelled = error.name === "AbortError";
      this.#now(recording, cancelled ? { state: "cancelled" } : { state: "failed", error });
    }
  }

  /** Send it, and stay until it is done. */
  async #stay(recording, about) {
    const what = recording.options.task === "translate" ? "translations" : "transcriptions";
    const to = { path: `v1/audio/${what}`, ...about };
    const answer = await this.#api.transcribe(streamForm(recording), to);
    this.#have(recording, answer);
    await this.#keeping.putAll(recording);
    this.#now(recording, { state: "done" });
  }

  /** Send it as a job, and go on without it. */
  async #submit(recording, about) {
    recording.key ??= `page-${name()}`;
    const job = await this.#jobs.submit(jobForm(recording), { key: recording.key, ...about });
    recording.job = job.id;
    this.#now(recording, { state: "queued", sent: 1 });
    await this.#keeping.putAll(recording);
    await this.#stand(recording, job);
    this.#follow();
  }

  /** What the list of jobs says of those that are waited for. */
  async #compare() {
    for (const recording of this.all) {
      const { job: asked } = recording;
      if (!asked || !WAITING.has(recording.state)) continue;
      const job = await this.#jobs.one(asked).catch(() => undefined);
      if (recording.job !== asked || !WAITING.has(recording.state)) continue;
      if (job === null) this.#now(recording, { state: "failed", error: GONE });
      else if (job) await this.#stand(recording, job);
    }
    this.#follow();
  }

  /** A job has come so far. */
  async #stand(recording, job) {
    if (!WAITING.has(recording.state) || recording.job !== job.id) return;
    if (job.state === "done") return void (await this.#bring(recording));
    const heard = recording === this.#seen && this.#hearing !== null;
    const { audioS, ...news } = standing(job);
    if (heard && WAITING.has(news.state)) return; // its events say more
    this.#now(recording, { ...news, audioS: audioS ?? recording.audioS });
  }

  /** Hear the job that somebody looks at, from where it was heard last. */
  #follow() {
    const recording = this.#seen;
    if (!recording?.job || !WAITING.has(recording.state)) return;
    if (document.hidden || this.#hearing || recording.bringing) return;
    const hearing = (this.#hearing = new AbortController());
    const { signal } = hearing;
    const hear = (kind, data, number) => {
      if (signal.aborted) return;
      recording.last = number;
      this.#hear(recording, kind, data);
    };
    const followed = this.#jobs.follow(recording.job, hear, { signal, last: recording.last });
    followed.then(() => this.#hearing === hearing && this.#leave());
  }

  #leave() {
    this.#hearing?.abort();
    this.#hearing = null;
  }

  /** A job is done: have its transcript here. */
  async #bring(recording) {
    if (recording.bringing) return;
    recording.bringing = true;
    const { job } = recording;
    const resent = () => recording.job !== job; // here or in another tab
    try {
      const answer = await this.#jobs.result(job);
      const picture = recording.peaks.length ? null : await this.#jobs.picture(job);
      if (resent()) return;
      if (picture) this.#hear(recording, "waveform", picture);
      if (!recording.transcript) {
        this.#have(recording, answer);
        await this.#keeping.put(recording);
      }
      this.#now(recording, { state: "done" });
      if (recording === this.#seen) this.#leave();
    } catch (error) {
      if (resent()) return;
      // Anything else says nothing of the job, and passes: the next look will bring it.
      if (error.code === NO_JOB) this.#now(recording, { state: "failed", error: GONE });
    }
    recording.bringing = false;
  }

  #have(recording, answer) {
    const { task, language } = recording.options;
    recording.transcript = fromAnswer(answer, { duration: recording.audioS, task, language });
  }

  /** Something was said of one that is being done: by its own stream, or by its job's. */
  #hear(recording, kind, event) {
    if (!WAITING.has(recording.state)) return; // it has ended: what comes is an echo
    const news = newsOf(recording, kind, event);
    if (news) this.#now(recording, news);
    else if (kind === "done") this.#bring(recording);
    else if (kind === "text.delta" || kind === "segment") {
      recording.growing.push(event.delta ?? event.text);
      this.#tell("growth", recording);
    }
  }

  /** One stands otherwise in another tab, was given there, or is forgotten. */
  async #other(id) {
    const text = await this.#keeping.text(id).catch(() => undefined);
    const recording = this.all.find((each) => each.id === id);
    if (!recording) return void (text && this.#join(restored(text)));
    if (text === null) return void this.#drop(recording);
    const news = text && elsewhere(recording, text);
    if (!news) return;
    if (recording === this.#seen) this.#leave();
    this.#now(recording, news);
    if (recording.state === "queued") this.#jobs.look();
  }

  #join(recording) {
    this.all = [...this.all, recording].sort((a, b) => earlier(b, a));
    this.#tell("list");
  }

  #drop(recording) {
    this.all = this.all.filter((other) => other !== recording);
    this.#tell("list");
    this.#tell("forgotten", recording);
  }

  #now(recording, news) {
    Object.assign(recording, news);
    this.#tell("change", recording);
  }

  #tell(kind, detail = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
