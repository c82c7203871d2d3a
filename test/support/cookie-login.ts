/** A browser that logs in by a cookie: what a server answers to it. */
import { connect } from "node:net";
import { waitFor } from "./cluster-wait.ts";
import { frame } from "./websocket-frames.ts";

/** Resolves with all that has come until the server lets the token of the cookie `jwt` in or refuses it. */
export async function answerToCookie(port: number, jwt: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let isOver = false;
  socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  socket.on("close", () => (isOver = true));
  const head = ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"];
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  socket.write([...head, key, "Sec-WebSocket-Version: 13", `Cookie: jwt=${jwt}`, "", ""].join("\r\n"));
  await waitFor("INFO", () => text.includes("INFO {"));
  socket.write(frame({ payload: 'CONNECT {"verbose":false}\r\nPING\r\n' }));
  await waitFor("an answer", () => isOver || /PONG|-ERR/.test(text));
  socket.destroy();
  return text;
}
