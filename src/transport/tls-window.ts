/**
 * Sets the option `onread` on a TLSSocket, which takes it for a connection of its own alone: where net.Socket keeps the option is found
 * out on a socket that has it.
 */
import net from "node:net";
import type * as tls from "node:tls";
import { readWindow } from "../slab/memory.ts";

const WINDOW_SYMBOLS = windowSymbols();

interface WindowSymbols {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly next: symbol;
}

/** Where net.Socket keeps the option `onread`; null: unknown. */
function windowSymbols(): WindowSymbols | null {
  const sample = new net.Socket({ onread: { buffer: readWindow, callback: () => true } });
  const symbols = Object.getOwnPropertySymbols(sample);
  const find = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const buffer = find("kBuffer");
  const callback = find("kBufferCb");
  const next = find("kBufferGen");
  if (buffer === undefined || callback === undefined || next === undefined) return null;
  return { buffer, callback, next };
}

/** Has the socket read into the window of the slab. False: this Node keeps that elsewhere, or something has been read already. */
export function readIntoWindow(secured: tls.TLSSocket, onBytes: (length: number) => boolean): boolean {
  const { _handle: handle } = secured as unknown as { _handle: { useUserBuffer?: (to: Uint8Array) => void } };
  if (WINDOW_SYMBOLS === null || typeof handle?.useUserBuffer !== "function" || secured.readableLength > 0)
    return false;
  const { buffer, callback, next } = WINDOW_SYMBOLS;
  Object.assign(secured, { [buffer]: readWindow, [callback]: onBytes, [next]: null });
  handle.useUserBuffer(readWindow);
  return true;
}
