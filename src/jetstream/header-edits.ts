/** Changes to a block of headers, as a byte string from NATS/1.0 to the empty line. "" stands for no headers at all. */
import { VERSION_LINE } from "./headers.ts";

const LINE_END = "\r\n";

/** With the header at the end, whether there is one of this name or not. */
export function withHeader(block: string, name: string, value: string): string {
  const open = block === "" ? VERSION_LINE : block.slice(0, -LINE_END.length);
  return `${open}${name}: ${value}${LINE_END}${LINE_END}`;
}

/** Without the headers of this name. */
export function withoutHeader(block: string, name: string): string {
  return withoutLines(block, (line) => line.startsWith(`${name}:`));
}

/** Without the headers whose names begin so. */
export function withoutPrefix(block: string, prefix: string): string {
  return withoutLines(block, (line) => line.startsWith(prefix));
}

/** With this value in place of what the header had, or at the end. */
export function withValue(block: string, name: string, value: string): string {
  const from = block.indexOf(`${LINE_END}${name}:`);
  if (from < 0) return withHeader(block, name, value);
  const start = from + LINE_END.length + name.length + 1;
  return `${block.slice(0, start)} ${value}${block.slice(block.indexOf(LINE_END, start))}`;
}

function withoutLines(block: string, isGone: (line: string) => boolean): string {
  if (block === "") return "";
  const [version = "", ...lines] = block.slice(0, -2 * LINE_END.length).split(LINE_END);
  const rest = lines.filter((line) => !isGone(line));
  return rest.length === 0 ? "" : `${[version, ...rest].join(LINE_END)}${LINE_END}${LINE_END}`;
}
