/**
 * No name of ours can be one that Kubernetes sets for a Service in the same namespace. The names that it sets are made
 * here as the kubelet makes them (pkg/kubelet/envvars), for every Service name that the API server admits.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { CONFIG_FILE_ENV, isServiceVariable } from "../../../src/config/formats/env.ts";
import { OPTION_BY_ENV, OPTIONS } from "../../../src/config/schema.ts";
import { configOf } from "./sources.ts";

const OURS = [...OPTION_BY_ENV.keys(), CONFIG_FILE_ENV];
const PROTOCOLS = ["TCP", "UDP", "SCTP"];

const capitals = (label: string): string => label.toUpperCase().replaceAll("-", "_");

/** What the kubelet sets for one Service with one port. */
function serviceVariables(service: string, portName: string, port: number, protocol: string): string[] {
  const name = capitals(service);
  const link = `${name}_PORT_${port}_${protocol}`;
  return [
    `${name}_SERVICE_HOST`,
    `${name}_SERVICE_PORT`,
    `${name}_SERVICE_PORT_${capitals(portName)}`,
    `${name}_PORT`,
    link,
    `${link}_PROTO`,
    `${link}_PORT`,
    `${link}_ADDR`,
  ];
}

/** RFC 1123, the wider of the two rules for Service names: letters, digits and dashes, no dash first or last. */
const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
/** Labels made to look like ours: the words of our names with one or two dashes between. */
const words = [...new Set(OURS.flatMap((name) => name.toLowerCase().split(/_+/)))];
const nearLabel = fc
  .array(fc.tuple(fc.constantFrom(...words), fc.constantFrom("-", "--")), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.flat().slice(0, -1).join(""))
  .filter((text) => text.length <= 63);
const service = fc.oneof(label, nearLabel);
const port = fc.integer({ min: 1, max: 65_535 });

describe("the environment names of options", () => {
  it("are there for every option, itself or through another that sets the same field", () => {
    const settable = new Set(OPTIONS.filter(({ env }) => env !== null).flatMap(({ fields }) => fields));
    for (const { fields } of OPTIONS) for (const field of fields) expect(settable).toContain(field);
    expect(OPTION_BY_ENV.size).toBe(OPTIONS.filter(({ env }) => env !== null).length);
  });

  it("cannot be set by Kubernetes for any Service: none has the form of such a name", () => {
    expect(OURS.filter(isServiceVariable)).toEqual([]);
  });

  it("are judged by the right form: every name that Kubernetes can set has it", () => {
    fc.assert(
      fc.property(
        service,
        service,
        port,
        fc.constantFrom(...PROTOCOLS),
        (name, portName, number, protocol) => {
          for (const variable of serviceVariables(name, portName, number, protocol)) {
            expect(variable).toSatisfy(isServiceVariable);
            expect(OURS).not.toContain(variable);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    "SHOAL__HTTP_PORT",
    "SHOAL__MONITOR_PORT",
    "SHOAL__X_SERVICE_HOST",
    "SHOAL__A_PORT_4222_TCP_ADDR",
  ])("are not %s, which a Service could have", (name) => {
    expect(name).toSatisfy(isServiceVariable);
    expect(OURS).not.toContain(name);
  });

  it("leave the server as it is in a namespace full of Services", () => {
    fc.assert(
      fc.property(service, service, port, (name, portName, number) => {
        const env = Object.fromEntries(
          serviceVariables(name, portName, number, "TCP").map((variable) => [
            variable,
            "tcp://10.0.0.1:4222",
          ]),
        );
        expect(configOf({ env })).toEqual(configOf({}));
      }),
      { numRuns: 50 },
    );
  });
});
