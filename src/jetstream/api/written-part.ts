/** Answers with a part that is too large to be written at once. */
import { assert } from "../../base/assert.ts";

/** A large object in an answer, which was written in steps. In the fields of the answer WRITTEN stands in its place. */
export interface WrittenPart {
  readonly name: string;
  readonly json: string;
}

/** No answer has such a number. */
export const WRITTEN = 1e-300;

/** The answer as JSON, with the part in its place. */
export function jsonWith(answer: object, { name, json }: WrittenPart): string {
  const text = JSON.stringify(answer);
  const place = `"${name}":${WRITTEN}`; // within a string its quotes would be escaped
  const at = text.indexOf(place);
  assert(at >= 0, "an answer has a place for the part that was written");
  return `${text.slice(0, at)}"${name}":${json}${text.slice(at + place.length)}`;
}
