/** Certificates of a port, where it needs none: authorities of the system take a quarter of a second to read. */
import tls from "node:tls";
import { afterEach, expect, it, vi } from "vitest";
import { TlsContext } from "../../../src/transport/tls-context.ts";

afterEach(() => void vi.restoreAllMocks());

it("reads the authorities of the system when a server is dialled, and not before", () => {
  const read = vi.spyOn(tls, "getCACertificates").mockReturnValue([]);
  const context = new TlsContext({
    ...{ certificates: [], caFile: null, verifies: true, ciphers: "", curves: "" },
    minVersion: "TLSv1.2",
  });
  expect(read).not.toHaveBeenCalled();
  expect([context.current, context.current].every((one) => one !== undefined)).toBe(true);
  expect(read).toHaveBeenCalledExactlyOnceWith("system");
});
