/**
 * Waiting for something that another process brings about: looks again and again, up to a deadline. A deadline that
 * passes is a failure which names what was awaited, never a result.
 */
import { PATIENCE_MS } from "./patience.ts";

const LOOK_EVERY_MS = 15;

/** Resolves with the first value other than undefined or false. `seen` adds to the failure what was there instead. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  seen: () => string = () => "",
): Promise<T> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > giveUpAt)
      throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}${separated(seen())}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function separated(text: string): string {
  return text === "" ? "" : `\n${text}`;
}
