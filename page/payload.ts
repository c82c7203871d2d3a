/** Payloads as people read them: as text, as JSON with indents, or as hex. Pure. */

export type PayloadForm = "text" | "json" | "hex";

const HEX_ROW = 16;
/** What cannot be seen is shown by one sign for each character. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const SUBSTITUTE = "·";

export function fromBase64(data: string): Uint8Array {
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}

/** The beginning of a payload is no JSON, whatever the whole is. */
export function shownPayload(
  payload: Uint8Array,
  form: PayloadForm,
  part: "whole" | "beginning" = "whole",
): string {
  if (form === "hex") return hexDump(payload);
  const text = textOf(payload);
  return (form === "json" && part === "whole" ? indentedJson(text) : null) ?? withoutUnseen(text);
}

/** In one line. */
export function preview(payload: Uint8Array, form: PayloadForm): string {
  if (form !== "hex") return withoutUnseen(textOf(payload)).replace(/\s+/g, " ");
  return Array.from(payload.subarray(0, 4 * HEX_ROW), hex).join(" ");
}

/** Headers as they are written: one in a line, without the line that names the version. */
export function shownHeaders(headers: Uint8Array): string {
  return withoutUnseen(textOf(headers).replaceAll("\r\n", "\n"))
    .replace(/^NATS\/1\.0[^\n]*\n?/, "")
    .trimEnd();
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function withoutUnseen(text: string): string {
  return text.replace(UNSEEN, SUBSTITUTE);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** `00000000  68 65 6c 6c 6f  |hello|` */
function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_ROW) {
    const row = bytes.subarray(at, at + HEX_ROW);
    const letters = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "."));
    const columns = Array.from(row, hex)
      .join(" ")
      .padEnd(HEX_ROW * 3 - 1);
    lines.push(`${at.toString(16).padStart(8, "0")}  ${columns}  |${letters.join("")}|`);
  }
  return lines.join("\n");
}

/** null: it is not JSON. Numbers and texts stay as they were written: parsed, large numbers would be rounded. */
export function indentedJson(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  let depth = 0;
  let out = "";
  parts.forEach((part, index) => {
    const line = (): string => `\n${"  ".repeat(depth)}`;
    if (part === "{" || part === "[") {
      depth++;
      const isEmpty = parts[index + 1] === (part === "{" ? "}" : "]");
      out += isEmpty ? part : part + line();
    } else if (part === "}" || part === "]") {
      depth--;
      out += /[[{]$/.test(parts[index - 1] ?? "") ? part : line() + part;
    } else if (part === ",") out += part + line();
    else out += part === ":" ? ": " : part;
  });
  return out;
}
