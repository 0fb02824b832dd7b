/** What the browser keeps of transcripts (IndexedDB): the text of each, the audio within bounds. */

export const AUDIO_BYTES_MAX = 300_000_000;
export const ALL_AUDIO_BYTES_MAX = 2_000_000_000;
export const TRANSCRIPTS_MAX = 300;
// Of what the browser would give to this site at most.
const SHARE_MAX = 0.5;

const [TEXTS, AUDIO] = ["transcripts", "audio"];

export class Kept {
  /** @type {Promise<IDBDatabase>} */
  #database;

  constructor() {
    this.#database = open();
    this.#database.catch(() => {}); // whoever asks hears of it
  }

  /** Everything that is kept, newest first, without its audio. */
  async all() {
    const texts = await this.#ask(TEXTS, "readonly", (store) => store.getAll());
    return texts.sort((a, b) => b.made - a.made);
  }

  /** One transcript, or null. */
  async text(id) {
    return (await this.#ask(TEXTS, "readonly", (store) => store.get(id))) ?? null;
  }

  /**
   * Keep what `make` makes of the transcript that is kept by now, or of null; nothing where it says
   * null. It is one step, in which no other tab can do the same. Comes to what was made.
   */
  async change(id, make) {
    let made = null;
    await this.#ask(TEXTS, "readwrite", (store) => {
      const found = store.get(id);
      found.onsuccess = () => {
        made = make(found.result ?? null);
        if (made) store.put(made);
      };
      return found;
    });
    return made;
  }

  /** The ids of those that are past the bound, the oldest ones; `newest` is none of them. */
  async tooMany(newest) {
    const others = (await this.all()).filter(({ id }) => id !== newest);
    return others.slice(TRANSCRIPTS_MAX - 1).map(({ id }) => id);
  }

  /** Keep a file of audio. Comes to why it was not kept, or to null. */
  async putAudio(id, file) {
    if (file.size > AUDIO_BYTES_MAX) return "it is larger than 300 MB";
    const { quota = Infinity, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    const room = Math.min(quota * SHARE_MAX, ALL_AUDIO_BYTES_MAX) - usage;
    if (file.size > room) return "there is no more room for it in this browser";
    // A copy: the file itself may be gone from the disk tomorrow.
    const audio = { id, sound: new Blob([file], { type: file.type }) };
    await this.#ask(AUDIO, "readwrite", (store) => store.put(audio));
    return null;
  }

  /** A file of audio, if it was kept. */
  async audio(id) {
    const found = await this.#ask(AUDIO, "readonly", (store) => store.get(id));
    return found?.sound ?? null;
  }

  /** Forget a transcript and its audio. */
  async forget(id) {
    for (const name of [TEXTS, AUDIO]) await this.#ask(name, "readwrite", (s) => s.delete(id));
  }

  async #ask(name, mode, make) {
    const transaction = await this.#begin(name, mode);
    const request = make(transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
    });
  }

  /** A transaction; in a database that is opened again where the browser has closed it. */
  async #begin(name, mode) {
    try {
      return (await this.#database).transaction(name, mode);
    } catch {
      this.#database = open();
      return (await this.#database).transaction(name, mode);
    }
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("asr", 1);
    request.onupgradeneeded = () => {
      for (const name of [TEXTS, AUDIO]) request.result.createObjectStore(name, { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
