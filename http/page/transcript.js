/**
 * A transcript as the page holds it: segments made of pieces, most of which are words with times.
 *
 * @typedef {{text: string, start?: number, end?: number}} Piece  text has the space before it
 * @typedef {{start: number, end: number, speaker: string|null, pieces: Piece[]}} Segment  seconds
 * @typedef {{task: string, language: string|null, duration: number, segments: Segment[],
 *   names: Record<string, string>, warnings: string[]}} Transcript
 *   names are those that the person gave to speakers
 */

// How far into a segment's text the next word may lie: what is between has no times of its own.
const SKIP_MAX = 60;
// How far outside of its segment a word may be: the two are rounded and aligned apart.
const SLACK_S = 1.5;

/**
 * The server's last event as a transcript.
 *
 * @returns {Transcript}
 */
export function fromAnswer(answer, { duration, task, language }) {
  const words = answer.words ?? [];
  let next = 0;
  const segments = (answer.segments ?? []).map((segment) => {
    const { pieces, taken } = cut(segment, words, next);
    next = taken;
    return { start: segment.start, end: segment.end, speaker: segment.speaker ?? null, pieces };
  });
  return {
    task: answer.task ?? task,
    language: answer.language_code ?? (language || null),
    duration: answer.duration ?? duration ?? segments.at(-1)?.end ?? 0,
    segments,
    names: {},
    warnings: answer.warnings ?? [],
  };
}

/** A segment's text in pieces: its words, and what lies between them. */
function cut(segment, words, from) {
  const pieces = [];
  let at = 0;
  let next = from;
  while (next < words.length && words[next].start < segment.end + SLACK_S) {
    const { word, start, end } = words[next];
    const found = segment.text.indexOf(word.trim(), at);
    if (found < 0 || found - at > SKIP_MAX) {
      if (start >= segment.end) break; // the next segment's
      next += 1; // nobody's: its text is shown without its times
      continue;
    }
    const before = segment.text.slice(at, found);
    if (before.trim()) pieces.push({ text: before });
    const space = before.trim() ? "" : before;
    at = found + word.trim().length;
    pieces.push({ text: space + segment.text.slice(found, at), start, end });
    next += 1;
  }
  const rest = segment.text.slice(at);
  if (rest && pieces.length && !rest.trim()) pieces.at(-1).text += rest;
  else if (rest) pieces.push({ text: rest });
  return { pieces, taken: next };
}

/** What a segment says. */
export function textOf(segment) {
  return segment.pieces.map((piece) => piece.text).join("");
}

/** Everybody who speaks, in order of appearance. */
export function speakersOf(transcript) {
  return [...new Set(transcript.segments.map((s) => s.speaker).filter((who) => who !== null))];
}

/** What a speaker is called: as the person says, else by what the server tells apart. */
export function nameOf(transcript, speaker) {
  if (transcript.names[speaker]) return transcript.names[speaker];
  const number = /^SPEAKER_(\d+)$/.exec(speaker); // as jobs call them; a stream has the letters
  const letters = number ? lettered(Number(number[1])) : speaker;
  return /^[A-Z]{1,2}$/.test(letters) ? `Speaker ${letters}` : speaker;
}

/** A to Z, then AA: what a stream calls the speaker of that number, from 0. */
function lettered(number) {
  const last = String.fromCharCode(65 + (number % 26));
  return number < 26 ? last : lettered(Math.floor(number / 26) - 1) + last;
}

/** Stretches in which one speaker speaks: for pictures, so pauses do not matter. */
export function turnsOf(transcript) {
  const turns = [];
  for (const { start, end, speaker } of transcript.segments) {
    if (speaker === null) continue;
    const last = turns.at(-1);
    if (last && last.speaker === speaker && start - last.end < 1) last.end = end;
    else turns.push({ start, end, speaker });
  }
  return turns;
}

/** The whole text, a line a segment, and who says it where that changes. */
export function plainText(transcript) {
  let speaker = null;
  const lines = [];
  for (const segment of transcript.segments) {
    if (segment.speaker !== speaker) {
      speaker = segment.speaker;
      if (lines.length) lines.push("");
      if (speaker !== null) lines.push(`${nameOf(transcript, speaker)}:`);
    }
    lines.push(textOf(segment).trim());
  }
  return `${lines.join("\n")}\n`;
}

/** How many words there are to read. */
export function wordCount(transcript) {
  const words = ({ text, start }) => (start === undefined ? (text.match(/\S+/g) ?? []).length : 1);
  const pieces = transcript.segments.flatMap((segment) => segment.pieces);
  return pieces.reduce((sum, piece) => sum + words(piece), 0);
}

/** The transcript as the server's verbose_json, for it to write in another format. */
export function asAnswer(transcript) {
  const said = (speaker) => (speaker === null ? {} : { speaker: nameOf(transcript, speaker) });
  const segments = transcript.segments.map((segment, id) => ({
    ...{ id, start: segment.start, end: segment.end, text: textOf(segment) },
    ...said(segment.speaker),
  }));
  const words = transcript.segments.flatMap(({ pieces, speaker }) =>
    pieces
      .filter((piece) => piece.start !== undefined)
      .map(({ text, start, end }) => ({ word: text.trim(), start, end, ...said(speaker) })),
  );
  const text = transcript.segments.map(textOf).join("").trim();
  const language = transcript.language ? { language_code: transcript.language } : {};
  const { task, duration } = transcript;
  return { task, ...language, duration, text, segments, ...(words.length ? { words } : {}) };
}
