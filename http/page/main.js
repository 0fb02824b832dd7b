/** The page put together: who knows whom, and which view is shown. */

import { Api } from "./api.js";
import { byId, el } from "./dom.js";
import { Download } from "./download.js";
import { size } from "./figures.js";
import { Keeping } from "./keeping.js";
import { Kept, ALL_AUDIO_BYTES_MAX, AUDIO_BYTES_MAX, TRANSCRIPTS_MAX } from "./kept.js";
import { Jobs } from "./jobs.js";
import { JobShelf } from "./jobshelf.js";
import { Keys } from "./keys.js";
import { offerThemes } from "./look.js";
import { Options } from "./options.js";
import { Player } from "./player.js";
import { Pulse } from "./pulse.js";
import { Reader } from "./reader.js";
import { Recorder } from "./recorder.js";
import { Recordings } from "./recordings.js";
import { ServerView } from "./server.js";
import { Shelf } from "./shelf.js";
import { Source } from "./source.js";
import { stateOf } from "./states.js";

const keys = new Keys();
const api = new Api(keys);
const jobs = new Jobs(api);
const recordings = new Recordings(api, new Keeping(new Kept()), jobs);
const options = new Options();
const shelf = new Shelf(recordings, say);
new JobShelf(jobs, recordings, say);
const download = new Download(api, say);
const reader = new Reader({ recordings, player: new Player(), download, say });
const server = new ServerView({ api, keys, say, changed: (cards) => options.models(cards) });
const source = new Source((files) => begin(files));
const recorder = new Recorder({
  made: (file) => begin([file]),
  wrong: (why) => source.wrong(why),
  say,
});
const pulse = new Pulse({ heard: (health) => server.health(health), back });
keys.addEventListener("given", () => {
  offerModels(); // whoever asked for them may have given up
  jobs.look();
});

/** Tell who cannot see it; the same thing twice is told twice. */
function say(message) {
  byId("announcer").replaceChildren(el("span", {}, message));
}

function begin(files) {
  const first = recordings.add(files, options.read());
  location.hash = `#/r/${first.id}`;
}

/** The server can be reached again. */
function back() {
  offerModels();
  if (!byId("server").hidden) server.show(true);
}

async function offerModels() {
  const models = await api.json("v1/models").catch(() => null);
  if (models) options.models(models.data);
}

/** What the address asks for. */
function asked() {
  const [, view, id] = /^#\/(\w*)\/?([\w-]*)$/.exec(location.hash) ?? [];
  return { view, id };
}

/** The address says what is shown: so the way back works, and a view can be kept. */
function route() {
  const { view, id } = asked();
  const onServer = view === "server";
  const recording = view === "r" ? (recordings.find(id) ?? theirs(id)) : null;
  byId("transcribe").hidden = onServer;
  byId("server").hidden = !onServer;
  byId("composer").hidden = recording !== null;
  server.show(onServer);
  recordings.watch(onServer ? null : recording);
  reader.open(onServer ? null : recording);
  shelf.open(recording?.id ?? "");
  document.title = onServer ? "Server" : (recording?.name ?? "Transcribe");
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if ((link.dataset.view === "server") === onServer) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** A job of the server's that is opened here. */
function theirs(id) {
  const job = jobs.all.find((each) => each.id === id);
  return job ? recordings.adopt(job) : null;
}

/** Who listens to the page hears of each stage once, not of each percent, and not of old ones. */
const told = new Map();
recordings.addEventListener("list", () => {
  for (const { id, state } of recordings.all) if (!told.has(id)) told.set(id, state);
});
recordings.addEventListener("change", ({ detail: recording }) => {
  const { id, state, name } = recording;
  if (told.get(id) === state) return;
  told.set(id, state);
  if (state === "done") say(`${name} is transcribed`);
  else if (state === "failed") {
    say(`${name} failed`);
    pulse.look();
  } else say(`${name}: ${stateOf(recording)}`);
});

// Its address is a place in the page for who has no scripts; here addresses are views.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  [...document.querySelectorAll("main")].find((main) => main.checkVisibility())?.focus();
});
addEventListener("hashchange", () => {
  route();
  scrollTo(0, 0);
  const titles = [...document.querySelectorAll("h1")];
  titles.find((title) => title.checkVisibility())?.focus({ preventScroll: true });
});
addEventListener("beforeunload", (event) => {
  const corrected = reader.finish();
  if (corrected || recordings.working || recorder.active) event.preventDefault();
});
recordings.addEventListener("lost", ({ detail }) => {
  byId("shelf-bound").textContent = detail;
});
byId("shelf-bound").textContent =
  `Kept in this browser: ${TRANSCRIPTS_MAX} transcripts, and audio of up to ` +
  `${size(AUDIO_BYTES_MAX)} each, ${size(ALL_AUDIO_BYTES_MAX)} in all.`;

offerThemes();
await recordings.restore();
route();
offerModels(); // nothing waits for it
jobs.addEventListener("list", () => {
  options.jobs(jobs.available);
  const { view, id } = asked();
  const listed = view === "r" && jobs.all.some((job) => job.id === id);
  // What was asked for may be a job of the server's; any other view has been there since.
  if (byId("reader").hidden && listed) route();
});
await jobs.look();
