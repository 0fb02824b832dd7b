/** Server-sent events out of a stream's text, in whatever pieces it comes. */

export class EventReader {
  #rest = "";

  /**
   * The data of each event that this piece completes; comments and "[DONE]" are passed over.
   *
   * @param {string} piece
   * @returns {{name: string, id: string, data: any}[]}
   */
  feed(piece) {
    const blocks = (this.#rest + piece).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.map(read).filter((event) => event !== null);
  }
}

function read(block) {
  const fields = { event: "", id: "", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(event|id|data): ?(.*)$/s.exec(line) ?? [];
    if (name) fields[name] += value;
  }
  if (!fields.data || fields.data === "[DONE]") return null;
  const data = JSON.parse(fields.data);
  return { name: fields.event || data.type || "", id: fields.id, data };
}
