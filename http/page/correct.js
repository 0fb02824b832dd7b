/** Corrected text keeps the times of its words: those that stay, exactly; new ones, by a guess. */

// Scripts without spaces between words: each letter is a word of its own here.
const ALONE = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}";
const WORD = new RegExp(`\\s*(?:[${ALONE}]|[^\\s${ALONE}]+)`, "gu");

// Cells of the table below: a passage of 1000 words. Longer ones are matched at their ends only.
const CELLS_MAX = 1_000_000;

/**
 * A segment with another text.
 *
 * @param {import("./transcript.js").Segment} segment
 * @param {string} text
 * @returns {import("./transcript.js").Segment}
 */
export function corrected(segment, text) {
  const before = segment.pieces.filter((piece) => piece.start !== undefined);
  const lead = /^\s*/.exec(segment.pieces[0]?.text ?? "")[0];
  const words = (lead + text.trim()).match(WORD) ?? [];
  if (!before.length) return { ...segment, pieces: [{ text: words.join("") }] };
  return { ...segment, pieces: timed(words, before, segment) };
}

/** The new words, with the times of the old ones that they are, or stand in place of. */
function timed(words, before, { start, end }) {
  const pairs = [...same(before.map((piece) => bare(piece.text)), words.map(bare))];
  pairs.push([before.length, words.length]);
  const pieces = [];
  let [i, j] = [0, 0];
  for (const [old, fresh] of pairs) {
    const from = i ? before[i - 1].end : Math.min(start, before[0].start);
    const until = old < before.length ? before[old].start : Math.max(end, before.at(-1).end);
    pieces.push(...placed(words.slice(j, fresh), before.slice(i, old), from, until));
    if (old < before.length) {
      const { start: s, end: e } = before[old];
      pieces.push({ text: words[fresh], start: s, end: e });
    }
    [i, j] = [old + 1, fresh + 1];
  }
  return pieces;
}

/** New words in place of old ones: one for one if they are as many, else by their lengths. */
function placed(words, old, from, until) {
  if (words.length === old.length) {
    return words.map((text, k) => ({ text, start: old[k].start, end: old[k].end }));
  }
  const start = old.length ? old[0].start : from;
  const end = Math.max(start, old.length ? old.at(-1).end : until);
  const letters = words.reduce((sum, word) => sum + word.trim().length, 0);
  let done = 0;
  return words.map((text) => {
    const at = (share) => Math.round((start + ((end - start) * share) / letters) * 1000) / 1000;
    const piece = { text, start: at(done), end: at(done + text.trim().length) };
    done += text.trim().length;
    return piece;
  });
}

/** What makes a word the same word: commas and capitals do not. */
function bare(word) {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "") || word.trim();
}

/** Pairs of places that hold the same word in both lists, in order, as many as there can be. */
function same(old, fresh) {
  if (old.length * fresh.length > CELLS_MAX) return ends(old, fresh);
  const width = fresh.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      longest[at] =
        old[i] === fresh[j]
          ? longest[at + width + 1] + 1
          : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < fresh.length) {
    const at = i * width + j;
    if (old[i] === fresh[j]) pairs.push([i++, j++]);
    else if (longest[at + width] >= longest[at + 1]) i += 1;
    else j += 1;
  }
  return pairs;
}

/** The same where they are many: what both begin with, and what both end with. */
function ends(old, fresh) {
  const most = Math.min(old.length, fresh.length);
  let head = 0;
  while (head < most && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;
  const pair = (_, k) => [old.length - tail + k, fresh.length - tail + k];
  return [...Array.from({ length: head }, (_, k) => [k, k]), ...Array.from({ length: tail }, pair)];
}
