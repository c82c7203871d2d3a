/**
 * A program of its own for Docker's HEALTHCHECK, where there is no shell: exits with 0 if the server in the same container is
 * ready. It asks `/readyz` on the monitoring port; a server without monitoring has to greet clients on 4222 instead.
 * SHOAL_HEALTHCHECK_URL names another address: http://… or nats://host:port.
 */
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";

const TIMEOUT_MS = 4000;

const given = process.env["SHOAL_HEALTHCHECK_URL"];
const problem = given === undefined ? await checkUsual() : await check(new URL(given));
if (problem !== null) {
  process.stdout.write(`${problem}\n`);
  process.exitCode = 1;
}

async function checkUsual(): Promise<string | null> {
  try {
    return await answers(new URL("http://127.0.0.1:8222/readyz"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") return describe(error);
    return check(new URL("nats://127.0.0.1:4222"));
  }
}

async function check(url: URL): Promise<string | null> {
  try {
    return await (url.protocol === "nats:" ? greets(url) : answers(url));
  } catch (error) {
    return `${url.href}: ${describe(error)}`;
  }
}

async function answers(url: URL): Promise<string | null> {
  const asked = request(url, { timeout: TIMEOUT_MS });
  asked.once("timeout", () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const text = Buffer.concat(await answer.toArray()).toString();
  return answer.statusCode === 200 ? null : `${url.href}: ${answer.statusCode} ${text}`;
}

async function greets(url: URL): Promise<string | null> {
  const socket = connect({ host: url.hostname, port: Number(url.port) });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no INFO in ${TIMEOUT_MS} ms`)));
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return bytes.toString().startsWith("INFO ") ? null : `${url.href}: what listens there is not a NATS server`;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
