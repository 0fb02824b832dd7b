/**
 * Recordings as they are kept. Other tabs keep the same ones: none of them undoes what another has
 * done, and each hears of it.
 */

import { lasting } from "./recording.js";

const NO_ROOM = "This browser could not keep the last change: save the transcript as a file.";
const CHANGED = "Another tab has changed the same text: this is how it stands now.";
const NO_AUDIO = "The audio will not be there another time";

/** Events: "other" (detail: the id of one that stands otherwise than here, or is forgotten). */
export class Keeping extends EventTarget {
  #kept;
  #tabs = new BroadcastChannel("asr");

  /** @param {import("./kept.js").Kept} kept */
  constructor(kept) {
    super();
    this.#kept = kept;
    this.#tabs.onmessage = ({ data }) => this.#tell(data);
  }

  /** What earlier visits left, newest first. */
  all() {
    return this.#kept.all();
  }

  /** How one stands; null if it is forgotten. */
  text(id) {
    return this.#kept.text(id);
  }

  /** Keep one, for which the oldest may have to go; a transcript that is kept already stays. */
  async put(recording) {
    const stays = (stored) => ({ transcript: stored?.transcript ?? recording.transcript });
    await this.#change(recording, (stored) => ({ ...lasting(recording), ...stays(stored) }));
    const old = await this.#kept.tooMany(recording.id).catch(() => []);
    for (const id of old) await this.forget(id).then(() => this.#tell(id));
  }

  /** Keep one with its audio; first without, as that may take longer than the page is there. */
  async putAll(recording) {
    await this.put(recording);
    const putting = this.#kept.putAudio(recording.id, recording.file);
    const why = await putting.catch(() => "the browser cannot keep it");
    recording.audioLost = why && `${NO_AUDIO}: ${why}.`;
  }

  /**
   * Change a transcript, here and where it is kept; where another tab was first, in what that one
   * has kept. Comes to whether it is kept: not if it does not fit what is there by now.
   */
  async edit(recording, change) {
    if (!change(recording.transcript)) {
      recording.notKept = CHANGED;
      return false;
    }
    return this.#change(recording, (stored) => {
      if (revisionOf(stored) === recording.revision) return lasting(recording);
      return change(stored.transcript) ? stored : null;
    });
  }

  /** A file of audio, if it was kept. */
  audio(id) {
    return this.#kept.audio(id).catch(() => null);
  }

  /** Forget one, here and in other tabs. */
  async forget(id) {
    await this.#kept.forget(id).catch(() => {});
    this.#tabs.postMessage(id);
  }

  async #change(recording, make) {
    const { id, transcript } = recording;
    try {
      const made = await this.#kept.change(id, (stored) => {
        const forgotten = !stored && recording.revision > 0;
        const text = forgotten ? null : make(stored);
        return text && { ...text, revision: revisionOf(stored) + 1 };
      });
      recording.notKept = made ? null : CHANGED;
      const ours = made?.revision === recording.revision + 1;
      if (ours && recording.transcript === transcript) recording.revision += 1;
      else this.#tell(id);
      if (made) this.#tabs.postMessage(id);
      return made !== null;
    } catch {
      recording.notKept = NO_ROOM;
      return false;
    }
  }

  #tell(id) {
    this.dispatchEvent(new CustomEvent("other", { detail: id }));
  }
}

/** How often it was kept; those of an older page do not say. */
function revisionOf(stored) {
  return stored ? (stored.revision ?? 1) : 0;
}
