/**
 * Plays every transcript of this folder against shoal and against the real nats-server: the same bytes have to be
 * answered with the same bytes by both. See README.md for the format.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { playTranscript } from "../support/transcript-player.ts";
import { natsServerTarget, shoalTarget, type TranscriptTarget } from "../support/transcript-target.ts";
import { parseTranscripts, type Transcript } from "../support/transcript.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const transcripts = readdirSync(folder)
  .filter((file) => file.endsWith(".txt"))
  .flatMap((file) => parseTranscripts(readFileSync(`${folder}${file}`, "utf8"), `test/protocol/${file}`));

const chosen = (process.env["SHOAL_TEST_TARGETS"] ?? "shoal,nats-server").split(",");

test("no two transcripts share a name", () => {
  const names = transcripts.map((transcript) => transcript.name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

if (chosen.includes("shoal")) playAllAgainst(shoalTarget());
if (chosen.includes("nats-server")) {
  requireNatsServer();
  const target = natsServerTarget();
  if (target) playAllAgainst(target);
}

function playAllAgainst(target: TranscriptTarget): void {
  describe(`against ${target.name}`, () => {
    afterAll(() => target.stop());
    for (const transcript of transcripts) {
      if (target.refuses(transcript)) {
        test(`refuses what it has not built (${transcript.needs}): ${transcript.name}`, async () => {
          await expect(target.serverFor(transcript, "whole")).rejects.toThrow(/not supported by shoal yet/);
        });
        continue;
      }
      const play = target.plays(transcript) ? test : test.skip;
      play(transcript.name, () => playAgainst(target, transcript, "whole"));
      if (!transcript.splittable) continue;
      play(`${transcript.name}, byte by byte`, () => playAgainst(target, transcript, "every byte"));
    }
  });
}

async function playAgainst(
  target: TranscriptTarget,
  transcript: Transcript,
  split: "whole" | "every byte",
): Promise<void> {
  const { host, port, signal } = await target.serverFor(transcript, split);
  await playTranscript(transcript, { host, port, split, signal });
}
