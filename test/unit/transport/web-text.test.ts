/** Texts from a web server: how long they may be, where they may lead, and how long they are waited for. */
import { describe, expect, it } from "vitest";
import { WebReader } from "../../../src/transport/web-text.ts";
import { WebServer } from "../../support/web-server.ts";

const BYTES_MAX = 10;
const terms = (signal = new AbortController().signal) => ({ bytesMax: BYTES_MAX, signal });
const reader = (): WebReader =>
  new WebReader(() => {
    throw new Error("nobody asks by TLS");
  });

describe("a text from a web server", () => {
  it("has at most as many bytes as were asked for", async () => {
    await using web = await WebServer.start({ text: (path) => "x".repeat(Number(path.slice(1))) });
    using read = reader();
    const at = (length: number) => read.read(`http://127.0.0.1:${web.port}/${length}`, terms());
    expect(await at(BYTES_MAX)).toMatchObject({ status: 200, text: "x".repeat(BYTES_MAX) });
    expect(await at(BYTES_MAX + 1)).toMatchObject({ status: 200, text: null });
    expect(await at(1_000_000)).toMatchObject({ status: 200, text: null });
  });

  it("may lie elsewhere, but not without an end, and not by another protocol", async () => {
    await using web = await WebServer.start({
      text: () => "here",
      redirect: (path) => ({ "/a": "/b", "/round": "/round", "/file": "file:///etc/passwd" })[path],
    });
    using read = reader();
    const at = (path: string) => read.read(`http://127.0.0.1:${web.port}${path}`, terms());
    expect(await at("/a")).toMatchObject({ status: 200, text: "here" });
    await expect(at("/round")).rejects.toThrow("leads elsewhere more than 10 times");
    await expect(at("/file")).rejects.toThrow("leads to file:, and not to HTTP");
  });

  it("is given up with the signal, and where nobody answers", async () => {
    await using web = await WebServer.start({ text: () => null });
    using read = reader();
    const stopping = new AbortController();
    stopping.abort();
    const url = `http://127.0.0.1:${web.port}/`;
    await expect(read.read(url, terms(stopping.signal))).rejects.toThrow(/abort/i);
    expect(await read.read(url, terms())).toMatchObject({ status: 404 });
    await expect(read.read("http://127.0.0.1:1/", terms())).rejects.toThrow("ECONNREFUSED");
  });
});
