/** One GET over HTTPS to 127.0.0.1 on a connection of its own, and which certificate the server showed. */
import { request } from "node:https";
import { TLSSocket } from "node:tls";

interface HttpsGet {
  readonly port: number;
  readonly path: string;
  readonly ca: Buffer;
  readonly authorization?: string | undefined;
}

export interface HttpsAnswer {
  readonly status: number;
  /** Common name of the server's certificate. */
  readonly subject: unknown;
  /** null: the body is not a JSON object. */
  readonly json: unknown;
}

export function httpsGet({ port, path, ca, authorization }: HttpsGet): Promise<HttpsAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>();
  const headers = authorization === undefined ? {} : { authorization };
  const asked = request({ host: "127.0.0.1", port, path, headers, ca, agent: false }, (response) => {
    const { socket } = response;
    const subject = socket instanceof TLSSocket ? socket.getPeerCertificate().subject.CN : null;
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => (body += text));
    response.once("end", () => {
      const json: unknown = body.startsWith("{") ? JSON.parse(body) : null;
      resolve({ status: response.statusCode!, subject, json });
    });
  });
  asked.once("error", reject).end();
  return promise;
}
