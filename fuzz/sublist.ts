/**
 * Reads bytes as a story of subscriptions, remote interest and messages, two or three bytes each, and compares every plan with
 * what the plain rule says.
 */
import { InterestModel } from "../test/property/interest-model.ts";

const SUBJECTS = 64;
/** The plain rule looks at every item for every message: long stories would tell little more in much more time. */
const BYTES_MAX = 96;

export function fuzz(bytes: Uint8Array): void {
  const model = new InterestModel();
  for (let i = 0; i + 1 < Math.min(bytes.length, BYTES_MAX); i += 2) {
    const [act = 0, which = 0] = bytes.subarray(i, i + 2);
    switch (act & 7) {
      case 0:
      case 1:
        model.subscribe(pattern(which), act & 8 ? `q${(act >> 4) & 3}` : null);
        break;
      case 2:
        model.tellRemote(
          (act >> 6) & 3,
          pattern(which),
          act & 8 ? `q${(act >> 4) & 3}` : null,
          1 + (which & 3),
        );
        break;
      case 3:
      case 7:
        model.endAny(which);
        break;
      case 4:
        model.check(long(which));
        break;
      default:
        model.check(literal(which));
    }
  }
  model.end();
}

const TOKENS = ["a", "b", "ab", "*"];

/** One to three tokens, of few kinds, so that they meet. */
function pattern(code: number): string {
  const tokens = [
    TOKENS[code & 3]!,
    TOKENS[(code >> 2) & 3]!,
    (code & 128) === 0 ? TOKENS[(code >> 4) & 3]! : ">",
  ];
  return tokens.slice(0, 1 + ((code >> 5) % 3)).join(".");
}

function literal(code: number): string {
  return pattern(code % SUBJECTS)
    .replaceAll("*", "c")
    .replaceAll(">", `d${code}`);
}

/** Too long to be kept in the arena, on its edge, or in it. */
function long(code: number): string {
  return `a.${String.fromCharCode(0x61 + (code % 26)).repeat(2020 + (code & 31))}`;
}
