/** The lines that servers introduce themselves with. */
import { describe, expect, it } from "vitest";
import { clientInfoLine, NATS_LEVEL, type ClientInfo } from "../../../src/protocol/info.ts";
import {
  gossipLine,
  readRouteConnect,
  readRouteInfo,
  routeConnectLine,
} from "../../../src/protocol/route-info.ts";

const info: ClientInfo = {
  identity: { id: "NID", name: "Grüße" },
  host: "0.0.0.0",
  port: 4222,
  authRequired: false,
  tls: null,
  headers: true,
  maxPayloadBytes: 1024,
  cid: 5,
  nonce: "",
  clientAddress: "127.0.0.1",
  cluster: "",
  connectUrls: [],
  isLameDuck: false,
  account: undefined,
  xkey: "X",
};

function fieldsOf(line: string): Record<string, unknown> {
  expect(line.startsWith("INFO {")).toBe(true);
  expect(line.endsWith("} \r\n")).toBe(true);
  return JSON.parse(Buffer.from(line.slice(5), "latin1").toString("utf8")) as Record<string, unknown>;
}

describe("INFO for clients", () => {
  it("names the level of nats-server, and leaves out what does not apply", () => {
    const fields = fieldsOf(clientInfoLine(info));
    expect(fields).toMatchObject({ server_id: "NID", server_name: "Grüße", version: NATS_LEVEL, proto: 1 });
    const absent = ["auth_required", "cluster", "connect_urls", "ldm", "connect_info", "remote_account"];
    expect(absent.filter((key) => key in fields)).toEqual([]);
  });

  it("says what applies", () => {
    const fields = fieldsOf(
      clientInfoLine({
        ...info,
        authRequired: true,
        cluster: "c",
        connectUrls: ["h:1"],
        isLameDuck: true,
        account: "$G",
      }),
    );
    expect(fields).toMatchObject({
      auth_required: true,
      cluster: "c",
      connect_urls: ["h:1"],
      ldm: true,
      connect_info: true,
      remote_account: "$G",
    });
  });
});

describe("the words between servers", () => {
  it("come out as they were put in", () => {
    const line = routeConnectLine({
      serverId: "NID",
      cluster: "c",
      clusterDynamic: true,
      user: "ruser",
      pass: "T0pS3cr3t",
      isSecured: true,
      headers: true,
    });
    expect(readRouteConnect(line.slice("CONNECT ".length))).toMatchObject({
      serverId: "NID",
      cluster: "c",
      clusterDynamic: true,
      user: "ruser",
      pass: "T0pS3cr3t",
      isSecured: true,
      lang: "",
    });
  });

  it("hand a peer's INFO on whole, but for its nonce", () => {
    const raw = readRouteInfo('{"server_id":"NX","nonce":"n","ip":"old","later":{"a":[1]},"gossip_mode":1}')!;
    const fields = fieldsOf(gossipLine(raw, "nats-route://1.2.3.4:6222/", 2));
    const ip = "nats-route://1.2.3.4:6222/";
    expect(fields).toEqual({ server_id: "NX", ip, later: { a: [1] }, gossip_mode: 2 });
  });

  it.each(["", "[]", "{}", '{"server_id":1}', "{"])("are nothing when they name no server: %s", (json) => {
    expect(readRouteInfo(json)).toBeNull();
  });
});
