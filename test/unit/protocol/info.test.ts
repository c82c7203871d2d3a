/** The lines that servers introduce themselves with. */
import { JSON_DEPTH_MAX } from "../../../src/base/json.ts";
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
  jetStream: null,
  account: undefined,
  isSystemAccount: false,
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
    const raw = readRouteInfo('{"server_id":"NX","nonce":"n","ip":"old","later":{"a":[1]},"gossip_mode":1}');
    if (typeof raw === "string") throw new Error(raw);
    const fields = fieldsOf(gossipLine(raw, "nats-route://1.2.3.4:6222/", 2));
    const ip = "nats-route://1.2.3.4:6222/";
    expect(fields).toEqual({ server_id: "NX", ip, later: { a: [1] }, gossip_mode: 2 });
  });

  it.each(["", "[]", "{}", '{"server_id":1}', "{"])("are nothing when they name no server: %s", (json) => {
    expect(readRouteInfo(json)).toBeTypeOf("string");
  });

  it.each([
    ["route_pool_size", 1025, "is 1025, not between -2147483648 and 1024"],
    ["route_pool_size", 1e9, "is 1000000000, not between -2147483648 and 1024"],
    ["route_pool_size", 1.5, "is not a whole number"],
    ["route_pool_idx", 2 ** 31, "is 2147483648, not between -2147483648 and 2147483647"],
    ["port", -1, "is -1, not between 0 and 65535"],
    ["port", 65536, "is 65536, not between 0 and 65535"],
    ["port", "4222", "is not a whole number"],
    ["clients", -1, "is -1, not between 0 and 2147483647"],
    ["max_payload", 2 ** 31, "is 2147483648, not between -2147483648 and 2147483647"],
    ["gossip_mode", 256, "is 256, not between 0 and 255"],
    ["server_name", 7, "is not a text"],
    ["headers", "true", "is neither true nor false"],
    ["connect_urls", [1], "is not a list of texts"],
    ["export", { deny: "a" }, "is not a set of rules for subjects"],
    ["import", [], "is not a set of rules for subjects"],
  ])("are refused where %s is %j", (field, value, problem) => {
    const json = JSON.stringify({ server_id: "NX", [field]: value });
    expect(readRouteInfo(json)).toBe(`INFO is not what it should be: ${field} ${problem}`);
  });

  it.each(["1e9", "1e400", "-0.5", "99999999999999999999"])("are refused where a number is %s", (number) => {
    expect(readRouteInfo(`{"server_id":"NX","route_pool_size":${number}}`)).toMatch(/route_pool_size is/);
  });

  it("leave out what is null, as if it had not been said", () => {
    expect(readRouteInfo('{"server_id":"NX","port":null,"export":null}')).toEqual({ server_id: "NX" });
  });

  it("are refused where they are nested too deeply, whatever the field", () => {
    const nested = (levels: number): string =>
      `{"server_id":"NX","x":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    expect(readRouteInfo(nested(JSON_DEPTH_MAX - 1))).toBeTypeOf("object");
    expect(readRouteInfo(nested(JSON_DEPTH_MAX))).toBe("INFO is not the JSON it should be");
    expect(readRouteInfo(nested(100_000))).toBe("INFO is not the JSON it should be");
  });

  it.each([
    ["CONNECT whose name is no text", '{"name":1}'],
    ["CONNECT whose tls_required is no flag", '{"tls_required":"yes"}'],
  ])("are refused: %s", (_what, json) => {
    expect(readRouteConnect(json)).toBeNull();
  });
});
