// What programs do with the AI SDK. Usage: node vercel.mjs URL FILE MODEL OPTIONS
// On stdout as JSON: what experimental_transcribe() makes of the answer.
import { readFile } from "node:fs/promises";
import { argv, stdout } from "node:process";

import { createOpenAI } from "@ai-sdk/openai";
import { experimental_transcribe as transcribe } from "ai";

const [, , url, file, model, options] = argv;
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: "any" });
try {
  const { text, segments, language, durationInSeconds } = await transcribe({
    model: openai.transcription(model),
    audio: await readFile(file),
    providerOptions: { openai: JSON.parse(options) },
    maxRetries: 0,
  });
  stdout.write(JSON.stringify({ text, segments, language, durationInSeconds }));
} catch (error) {
  const { name, message, statusCode } = error;
  stdout.write(JSON.stringify({ name, message, statusCode }));
}
