/** What `shoal doctor` says of wrong options and of servers that do not answer as they should, and by which exit code. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { doctor, HELP } from "../../../src/app/doctor/command.ts";

let server: Server | null = null;
afterEach(() => void server?.close());

/** A server that says this at once, and then answers each PING. */
async function saying(greeting: string, answer: string): Promise<string> {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(greeting);
    socket.on("data", (chunk) => {
      if (chunk.toString().includes("PING")) socket.write(answer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it("helps", async () => {
  expect(await doctor(["--help"], {})).toEqual({ exitCode: 0, lines: [HELP], problem: "" });
});

it.each([
  [["--wrong"], "--wrong"],
  [["more"], "more"],
  [["--timeout", "0"], "--timeout: expected seconds up to 3600, as in --timeout 10"],
  [["--timeout", "x"], "--timeout: expected seconds"],
  [["-s", "http://x"], "--server: expected URLs such as nats://127.0.0.1:4222"],
  [["-s", "nats://"], "--server: expected URLs"],
])("refuses %j", async (argv, problem) => {
  const verdict = await doctor(argv, {});
  expect(verdict).toMatchObject({ exitCode: 2, lines: [] });
  expect(verdict.problem).toContain(problem);
});

it("takes what the environment says", async () => {
  expect((await doctor([], { NATS_URL: "http://x" })).problem).toContain("--server: expected URLs");
});

it.each([
  ["HTTP/1.1 400 Bad Request\r\n", "", "this is not a server of NATS"],
  ["INFO {}\r\n", "-ERR 'Authorization Violation'\r\n", "the server refuses: Authorization Violation"],
])("cannot tell where %j greets it", async (greeting, answer, problem) => {
  const url = await saying(greeting, answer);
  const verdict = await doctor(["-s", url], {});
  expect(verdict).toMatchObject({ exitCode: 2, lines: [] });
  expect(verdict.problem).toContain(problem);
});

it("cannot tell where nobody listens, and names each server that it has tried", async () => {
  const url = await saying("", "");
  const { port } = new URL(url);
  await new Promise((resolve) => server?.close(resolve));
  const { exitCode, problem } = await doctor(["-s", `${url},127.0.0.1:${port}`], {});
  expect(exitCode).toBe(2);
  expect(problem.split("ECONNREFUSED").length).toBeGreaterThanOrEqual(3);
});

it("cannot tell where nobody answers in time", async () => {
  const url = await saying("INFO {}\r\n", "PONG\r\n");
  const { exitCode, problem } = await doctor(["-s", url, "--timeout", "0.2"], {});
  expect(exitCode).toBe(2);
  expect(problem).toContain("no server has answered within 0.2 s");
});

it("shows no password of a URL", async () => {
  const url = (await saying("INFO {}\r\n", "-ERR 'Authorization Violation'\r\n")).replace(
    "//",
    "//u:secret@",
  );
  expect((await doctor(["-s", url], {})).problem).not.toContain("secret");
});
